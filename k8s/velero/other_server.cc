#include "k8s/velero/other_server.h"

#include "k8s/velero/location_controller.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kLookEvery{500};

BackupOutcome failed(const std::string& why) {
  BackupOutcome outcome;
  outcome.phase = "Failed";
  outcome.failure_reason = why;
  return outcome;
}

// Of the cluster's locations the one that lies there.
std::string location_at(const ServerContext& c, const Locations& locations, const BackupPlace& place) {
  for (const ObjectRef& object : c.objects.all(Kind::kLocation)) {
    const auto location = locations.find(name_of(*object));
    const bool there = location && location->place.bucket == place.bucket && location->place.prefix == place.prefix;
    if (there && !location->read_only && is_available(*object)) return location->name;
  }
  return "";
}

BackupOutcome outcome_of(const json::object& backup) {
  const json::object& status = object_at(backup, "status");
  BackupOutcome outcome;
  outcome.phase = phase_of(backup);
  outcome.items = count_at(object_at(status, "progress"), "itemsBackedUp");
  outcome.warnings = count_at(status, "warnings");
  outcome.errors = count_at(status, "errors");
  outcome.validation_errors = texts_at(status, "validationErrors");
  outcome.failure_reason = text_at(status, "failureReason");
  outcome.document = json::serialize(backup);
  return outcome;
}

}  // namespace

BackupOutcome back_up_by_other(const ServerContext& c, const Locations& locations, const BackupPlace& place, const BackupOrder& order,
                               BackupProgress& progress, const std::stop_token& stop) {
  const std::string location = location_at(c, locations, place);
  if (location.empty()) return failed("the cluster has no available location at " + place.bucket + "/" + place.prefix + " into which its server could write");
  json::object spec = object_or_empty(order.spec);
  spec["storageLocation"] = location;
  json::object annotations;
  for (const auto& [key, value] : order.annotations) annotations[key] = value;
  const json::object backup{{"apiVersion", "velero.io/v1"}, {"kind", "Backup"}, {"spec", std::move(spec)},
                            {"metadata", json::object{{"name", order.name}, {"namespace", c.name_space()}, {"annotations", std::move(annotations)}}}};
  const auto made = c.client.call("POST", collection_of(Kind::kBackup, c.name_space()), json::serialize(backup));
  if (!made) return failed(made.error().message());
  const std::string uid = text_at(metadata_of(object_or_empty(*made)), "uid");
  bool seen = false;
  while (!stop.stop_requested()) {
    const ObjectRef now = c.objects.find(Kind::kBackup, order.name);
    const bool same = now && view_at(metadata_of(*now), "uid") == uid;
    if (seen && !same) return failed("its Backup object was deleted while it ran");
    seen = seen || same;
    if (same && is_end(phase_of(*now))) return outcome_of(*now);
    if (same) progress.items = count_at(object_at(object_at(*now, "status"), "progress"), "itemsBackedUp");
    if (!c.client.pause(kLookEvery)) break;
  }
  return failed("this server was stopped while it ran; the backup goes on in the cluster");
}

}  // namespace holdfast::k8s
