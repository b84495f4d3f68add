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

// What an earlier start of this appliance made for the same run counts as made.
Result<std::string> make_or_find(const ServerContext& c, const json::object& backup) {
  const std::string collection = collection_of(Kind::kBackup, c.name_space());
  auto made = c.client.call("POST", collection, json::serialize(backup));
  if (made || made.error().code() != Code::kAlreadyExists) return made;
  auto there = c.client.call("GET", collection + "/" + name_of(backup));
  if (!there) return there;
  const auto run_of = [](const json::object& o) { return text_at(object_at(metadata_of(o), "annotations"), kRunAnnotation); };
  const std::string run = run_of(backup);
  return run.empty() || run != run_of(object_or_empty(*there)) ? made : there;
}

}  // namespace

BackupOutcome back_up_by_other(const ServerContext& c, const Locations& locations, const BackupPlace& place, const BackupOrder& order,
                               BackupProgress& progress, const std::stop_token& stop) {
  const std::string location = location_at(c, locations, place);
  if (location.empty()) return failed("the cluster has no available location at " + place.bucket + "/" + place.prefix + " into which its server could write");
  json::object spec = object_or_empty(order.spec);
  spec["storageLocation"] = location;
  json::object annotations, labels;
  for (const auto& [key, value] : order.annotations) annotations[key] = value;
  for (const auto& [key, value] : order.labels) labels[key] = value;
  const json::object backup{{"apiVersion", "velero.io/v1"}, {"kind", "Backup"}, {"spec", std::move(spec)},
                            {"metadata", json::object{{"name", order.name}, {"namespace", c.name_space()}, {"labels", std::move(labels)}, {"annotations", std::move(annotations)}}}};
  const auto made = make_or_find(c, backup);
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

Result<void> delete_by_other(const ServerContext& c, const std::string& backup) {
  const json::object request{{"apiVersion", "velero.io/v1"}, {"kind", "DeleteBackupRequest"}, {"spec", json::object{{"backupName", backup}}},
                             {"metadata", json::object{{"name", "holdfast-" + label_value(backup)}, {"namespace", c.name_space()},
                                                       {"labels", json::object{{kBackupNameLabel, label_value(backup)}}}}}};
  const auto made = c.client.call("POST", collection_of(Kind::kDeleteRequest, c.name_space()), json::serialize(request));
  if (!made && made.error().code() != Code::kAlreadyExists) return std::unexpected(made.error());
  return {};
}

}  // namespace holdfast::k8s
