// The kinds of velero.io/v1 that the server answers to.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "k8s/client/json_access.h"
#include "k8s/spec/labels.h"

namespace holdfast::k8s {

enum class Kind { kBackup, kRestore, kSchedule, kLocation, kDeleteRequest, kDownloadRequest, kStatusRequest };
inline constexpr std::array kAllKinds{Kind::kBackup,        Kind::kRestore,         Kind::kSchedule,     Kind::kLocation,
                                      Kind::kDeleteRequest, Kind::kDownloadRequest, Kind::kStatusRequest};

const char* kind_name(Kind kind);  // "Backup"
// "/apis/velero.io/v1/namespaces/NS/backups"
std::string collection_of(Kind kind, const std::string& name_space);

// An object as the API server last told it. Never changed.
using ObjectRef = std::shared_ptr<const json::object>;

const json::object& metadata_of(const json::object& object);
std::string name_of(const json::object& object);
std::string phase_of(const json::object& object);  // status.phase; empty and "New" mean that no server has seen it
inline bool is_new(const json::object& object) { return phase_of(object).empty() || phase_of(object) == "New"; }
bool is_being_deleted(const json::object& object);
// Of a Backup or Restore that has come to its end, whichever.
bool is_end(const std::string& phase);

}  // namespace holdfast::k8s
