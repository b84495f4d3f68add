#include "k8s/velero/backup_controller.h"

#include "k8s/bucket/archive_writer.h"
#include "k8s/bucket/uuid.h"
#include "k8s/spec/backup_spec.h"
#include "k8s/velero/location_controller.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kShowProgressEvery{1'000};
constexpr int64_t kLongestWaitMs = 3'600'000;

bool has_ended(const std::string& phase) { return is_end(phase) || phase == "Deleting"; }

std::map<std::string, std::string> texts_of(const json::object& o) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : o) {
    if (value.is_string()) out.emplace(key, value.get_string());
  }
  return out;
}

// The members of `now` that `before` has not, or has otherwise.
json::object changes(const json::object& before, const json::object& now) {
  json::object out;
  for (const auto& [key, value] : now) {
    const json::value* was = before.if_contains(key);
    if (was == nullptr || *was != value) out[key] = value;
  }
  return out;
}

}  // namespace

bool BackupController::is_busy(const std::string& name) const {
  return runs_.find(name).has_value() || c_.appliance.backups_before(name).has_value();
}

Result<LookAgain> BackupController::reconcile(const std::string& name) {
  const ObjectRef backup = c_.objects.find(Kind::kBackup, name);
  const auto run = runs_.find(name);
  if (!backup || (run && !is_about(*run, *backup))) {
    // Whose object was deleted runs on: it becomes a restore point, and the sync brings its object back.
    if (run && run->outcome) runs_.forget(name);
    if (!backup || run) return std::nullopt;
  }
  if (run) return run->outcome ? finish(backup, *run) : follow(backup, *run);
  const std::string phase = phase_of(*backup);
  // A run that an earlier server of this process began.
  if (!is_new(*backup) && !has_ended(phase) && c_.appliance.backups_before(name)) return kShowProgressEvery;
  if (is_new(*backup) || phase == "Queued" || phase == "ReadyToStart") return accept(backup);
  if (has_ended(phase)) return expire(backup);
  return settle(backup);
}

void BackupController::check_snapshot_locations(const json::object& spec, std::vector<std::string>& problems) const {
  for (const std::string& name : texts_at(spec, "volumeSnapshotLocations")) {
    const auto found = c_.client.get("/apis/velero.io/v1/namespaces/" + c_.name_space() + "/volumesnapshotlocations/" + name);
    if (found) continue;
    problems.push_back("a VolumeSnapshotLocation CRD for the location " + name +
                       " with the name specified in the backup spec needs to be created before this snapshot can be executed. Error: " + found.error().message());
  }
}

std::vector<std::string> BackupController::problems_of(const json::object& backup, json::object& spec, std::optional<Location>& location) const {
  std::vector<std::string> problems;
  spec = parse_backup_spec(object_at(backup, "spec"), problems).document;
  std::string name = text_at(spec, "storageLocation");
  if (name.empty()) spec["storageLocation"] = name = locations_.default_name();
  const ObjectRef object = c_.objects.find(Kind::kLocation, name);
  if (!object) {
    problems.push_back("backup storage location \"" + name + "\" does not exist; create it, or name another (velero backup-location get)");
    return problems;
  }
  const auto found = locations_.find(name);
  if (found && found->read_only) problems.push_back("backup can't be created because backup storage location " + name + " is currently in read-only mode");
  if (!found) problems.push_back("backup can't be created because BackupStorageLocation " + name + " is in Unavailable status: " + found.error().message());
  if (found && phase_of(*object) == "Unavailable") {
    problems.push_back("backup can't be created because BackupStorageLocation " + name + " is in Unavailable status: " + text_at(object_at(*object, "status"), "message"));
  }
  if (found) location = *found;
  check_snapshot_locations(spec, problems);
  return problems;
}

Result<LookAgain> BackupController::accept(const ObjectRef& backup) {
  const std::string name = name_of(*backup);
  json::object spec;
  std::optional<Location> location;
  const std::vector<std::string> problems = problems_of(*backup, spec, location);
  json::object metadata{{"annotations", json::object{{kServerAnnotation, c_.options.appliance_id}}},
                        {"labels", json::object{{kLocationLabel, label_value(text_at(spec, "storageLocation"))}}}};
  json::object status{{"version", 1}, {"formatVersion", kFormatVersion}};
  if (problems.empty()) {
    status["phase"] = "Queued";
    status["queuePosition"] = 1;
  } else {
    status["phase"] = "FailedValidation";
    status["validationErrors"] = json::array(problems.begin(), problems.end());
  }
  json::object patch{{"metadata", std::move(metadata)}, {"status", std::move(status)}};
  if (json::object filled_in = changes(object_at(*backup, "spec"), spec); !filled_in.empty()) patch["spec"] = std::move(filled_in);
  HF_TRY(const ObjectRef accepted, c_.objects.patch(Kind::kBackup, name, std::move(patch), backup));
  if (!problems.empty()) return std::nullopt;
  if (auto started = start(accepted, *location, spec); !started) {
    runs_.forget(name);
    json::object failed{{"phase", "Failed"}, {"failureReason", started.error().message()}, {"queuePosition", nullptr}};
    HF_CHECK(c_.objects.patch(Kind::kBackup, name, {{"status", std::move(failed)}}));
    return std::nullopt;
  }
  return kShowProgressEvery;
}

Result<void> BackupController::start(const ObjectRef& backup, const Location& location, const json::object& spec) {
  const json::object& metadata = metadata_of(*backup);
  const std::string name = name_of(*backup);
  BackupRun run;
  run.place = location.place;
  run.order.name = name;
  run.order.name_space = c_.name_space();
  run.order.uid = text_at(metadata, "uid");
  run.order.spec = json::serialize(spec);
  run.order.labels = texts_of(object_at(metadata, "labels"));
  run.order.annotations = texts_of(object_at(metadata, "annotations"));
  run.order.annotations.erase("kubectl.kubernetes.io/last-applied-configuration");
  run.order.annotations[kKeptBy] = kKeptByTtl;
  call_back(run, c_.gate, [this, name] { return begin(name); }, [this, name](BackupOutcome outcome) { end(name, std::move(outcome)); });
  runs_.open(name, Run{run.order.uid, location.name, nullptr, false, 0, 1, {}});
  HF_TRY(const auto progress, c_.appliance.start_backup(std::move(run)));
  runs_.change(name, [&](Run& r) { return (r.progress = progress) != nullptr; });
  return {};
}

Result<void> BackupController::begin(const std::string& name) {
  const ObjectRef backup = c_.objects.find(Kind::kBackup, name);
  const auto run = runs_.find(name);
  if (!backup || !run || !is_about(*run, *backup)) return error(Code::kNotFound, "its Backup object was deleted before it began");
  HF_CHECK(c_.objects.patch(Kind::kBackup, name, {{"status", json::object{{"phase", "ReadyToStart"}, {"queuePosition", nullptr}}}}));
  json::object status{{"phase", "InProgress"}, {"startTimestamp", rfc3339(c_.clock().wall_ms())}};
  HF_CHECK(c_.objects.patch(Kind::kBackup, name, {{"status", std::move(status)}}));
  runs_.change(name, [](Run& r) { return r.began = true; });
  return {};
}

void BackupController::end(const std::string& name, BackupOutcome outcome) {
  std::string location;
  const bool known = runs_.change(name, [&](Run& r) {
    r.outcome = std::move(outcome);
    location = r.location;
    return true;
  });
  if (!known) return;
  for (const std::string& other : runs_.waiting()) c_.queue.add({Topic::kBackup, other});  // one place further
  c_.queue.add({Topic::kBackup, name});
  c_.queue.add({Topic::kSync, location});
}

Result<LookAgain> BackupController::follow(const ObjectRef& backup, Run run) {
  const std::string name = name_of(*backup);
  json::object status;
  if (!run.began) {
    const auto before = c_.appliance.backups_before(name);
    if (before && *before + 1 != run.shown_position) status["queuePosition"] = run.shown_position = *before + 1;
  } else if (run.progress && run.progress->items != run.shown_items) {
    run.shown_items = run.progress->items;
    status["progress"] = json::object{{"itemsBackedUp", run.shown_items}, {"totalItems", run.shown_items}};
    if (run.progress->finalizing && phase_of(*backup) == "InProgress") status["phase"] = "Finalizing";
  }
  if (!status.empty()) {
    const bool still = runs_.change(name, [&](Run& r) {
      if (r.outcome || r.began != run.began) return false;
      r.shown_items = run.shown_items;
      r.shown_position = run.shown_position;
      return true;
    });
    if (!still) return kShowProgressEvery;  // nothing may follow upon the end
    // A place in line is of no interest to one that has begun meanwhile.
    const auto shown = c_.objects.patch(Kind::kBackup, name, {{"status", std::move(status)}}, run.began ? nullptr : backup);
    if (!shown && shown.error().code() != Code::kFailedPrecondition) return std::unexpected(shown.error());
  }
  return kShowProgressEvery;
}

Result<LookAgain> BackupController::finish(const ObjectRef& backup, const Run& run) {
  const std::string name = name_of(*backup);
  const BackupOutcome& outcome = *run.outcome;
  const json::object document = object_or_empty(outcome.document);
  json::object status = object_at(document, "status");
  status["phase"] = outcome.phase;
  if (!outcome.failure_reason.empty()) status["failureReason"] = outcome.failure_reason;
  status["queuePosition"] = nullptr;
  if (!status.contains("completionTimestamp")) status["completionTimestamp"] = rfc3339(c_.clock().wall_ms());
  json::object patch{{"status", std::move(status)}};
  const json::object& metadata = metadata_of(document);
  json::object added;
  for (const char* part : {"labels", "annotations"}) {
    if (json::object more = changes(object_at(metadata_of(*backup), part), object_at(metadata, part)); !more.empty()) added[part] = std::move(more);
  }
  if (!added.empty()) patch["metadata"] = std::move(added);
  const auto done = c_.objects.patch(Kind::kBackup, name, std::move(patch));
  if (!done && !is_given_up(done)) return std::unexpected(done.error());
  runs_.forget(name);
  return is_given_up(done) ? std::nullopt : LookAgain(std::chrono::milliseconds(kLongestWaitMs));
}

Result<LookAgain> BackupController::settle(const ObjectRef& backup) {
  const std::string name = name_of(*backup);
  const json::object& metadata = metadata_of(*backup);
  const bool ours = is_ours(*backup, c_);
  if (!ours) {
    if (const LookAgain later = strangers_.leave_alone(*backup, c_.clock())) return later;
  }
  const auto location = locations_.of_backup(name);
  const auto document = location ? restore_point_document(location->place, name) : Result<std::string>(std::unexpected(location.error()));
  if (!document && document.error().code() != Code::kNotFound) return std::unexpected(document.error());
  const json::object stored = document ? object_or_empty(*document) : json::object();
  json::object status;
  if (document && view_at(metadata_of(stored), "uid") == view_at(metadata, "uid")) {
    status = object_at(stored, "status");  // it had come to its end, and nobody could say so here
  } else {
    const char* reason = ours ? "the server ended while it ran" : "the server that ran it is gone";
    status = {{"phase", "Failed"}, {"failureReason", reason}, {"completionTimestamp", rfc3339(c_.clock().wall_ms())}};
  }
  HF_CHECK(c_.objects.patch(Kind::kBackup, name, {{"status", std::move(status)}}, backup));
  return std::nullopt;
}

Result<LookAgain> BackupController::expire(const ObjectRef& backup) const {
  const std::string name = name_of(*backup);
  const auto expires_ms = parse_iso8601(view_at(object_at(*backup, "status"), "expiration"));
  if (!expires_ms || phase_of(*backup) == "Deleting" || is_being_deleted(*backup)) return std::nullopt;
  const int64_t left_ms = *expires_ms - c_.clock().wall_ms();
  if (left_ms > 0) return std::chrono::milliseconds(std::min(left_ms, kLongestWaitMs));
  const LookAgain later = std::chrono::milliseconds(kLongestWaitMs);
  if (!c_.appliance.may_expire(name)) return later;
  const ObjectRef location = c_.objects.find(Kind::kLocation, text_at(object_at(*backup, "spec"), "storageLocation"));
  if (!location || !is_available(*location) || view_at(object_at(*location, "spec"), "accessMode") == "ReadOnly") return later;
  for (const ObjectRef& request : c_.objects.all(Kind::kDeleteRequest)) {
    if (view_at(object_at(*request, "spec"), "backupName") == name && phase_of(*request) != "Processed") return later;
  }
  spdlog::info("backup {} has expired and is to be deleted", name);
  json::object labels{{kBackupNameLabel, label_value(name)}, {kBackupUidLabel, view_at(metadata_of(*backup), "uid")}};
  json::object metadata{{"name", "expired-" + new_uuid(*c_.options.services.random)}, {"namespace", c_.name_space()}, {"labels", std::move(labels)}};
  HF_CHECK(c_.objects.create(Kind::kDeleteRequest, {{"apiVersion", "velero.io/v1"}, {"kind", "DeleteBackupRequest"}, {"metadata", std::move(metadata)},
                                                    {"spec", json::object{{"backupName", name}}}}));
  return later;
}

}  // namespace holdfast::k8s
