#include "k8s/velero/kinds.h"

namespace holdfast::k8s {

namespace {

struct KindNames {
  const char* kind;
  const char* plural;
};

const KindNames& names_of(Kind kind) {
  static constexpr std::array<KindNames, kAllKinds.size()> kNames{{{"Backup", "backups"},
                                                                  {"Restore", "restores"},
                                                                  {"Schedule", "schedules"},
                                                                  {"BackupStorageLocation", "backupstoragelocations"},
                                                                  {"DeleteBackupRequest", "deletebackuprequests"},
                                                                  {"DownloadRequest", "downloadrequests"},
                                                                  {"ServerStatusRequest", "serverstatusrequests"}}};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

const char* kind_name(Kind kind) { return names_of(kind).kind; }

std::string collection_of(Kind kind, const std::string& name_space) {
  return "/apis/velero.io/v1/namespaces/" + name_space + "/" + names_of(kind).plural;
}

const json::object& metadata_of(const json::object& object) { return object_at(object, "metadata"); }
std::string name_of(const json::object& object) { return text_at(metadata_of(object), "name"); }
std::string phase_of(const json::object& object) { return text_at(object_at(object, "status"), "phase"); }
bool is_end(const std::string& phase) { return phase == "Completed" || phase == "PartiallyFailed" || phase == "Failed" || phase == "FailedValidation"; }
bool is_being_deleted(const json::object& object) { return !view_at(metadata_of(object), "deletionTimestamp").empty(); }

}  // namespace holdfast::k8s
