#include "k8s/velero/restore_controller.h"

#include "k8s/velero/location_controller.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kShowProgressEvery{1'000};

json::array finalizers_with_ours(const json::object& restore) {
  json::array finalizers = array_at(metadata_of(restore), "finalizers");
  finalizers.push_back(kRestoreFinalizer);
  return finalizers;
}

}  // namespace

std::optional<json::array> finalizers_without_ours(const json::object& restore) {
  json::array others;
  bool found = false;
  for (const json::value& v : array_at(metadata_of(restore), "finalizers")) {
    if (v.is_string() && v.get_string() == kRestoreFinalizer) found = true;
    else others.push_back(v);
  }
  return found ? std::optional<json::array>(std::move(others)) : std::nullopt;
}

Result<LookAgain> RestoreController::reconcile(const std::string& name) {
  const ObjectRef restore = c_.objects.find(Kind::kRestore, name);
  const auto run = runs_.find(name);
  if (!restore || (run && !is_about(*run, *restore))) {
    if (run && run->outcome) runs_.forget(name);
    if (!restore || run) return std::nullopt;
  }
  if (run) return run->outcome ? finish(restore, *run) : follow(restore, *run);
  if (is_being_deleted(*restore)) return release(restore);
  // A run that an earlier server of this process began.
  if (!is_end(phase_of(*restore)) && c_.appliance.is_restoring(name)) return kShowProgressEvery;
  if (is_new(*restore)) return accept(restore);
  if (is_end(phase_of(*restore))) {
    if (finalizers_without_ours(*restore)) return std::nullopt;
    HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"metadata", json::object{{"finalizers", finalizers_with_ours(*restore)}}}}, restore));
    return std::nullopt;
  }
  return settle(restore);
}

std::string RestoreController::latest_of(const std::string& schedule, std::vector<std::string>& problems) const {
  std::pair<std::string, std::string> latest;  // start, name
  bool any = false;
  for (const ObjectRef& backup : c_.objects.backups_of(schedule)) {
    any = true;
    if (phase_of(*backup) == "Completed") latest = std::max(latest, {text_at(object_at(*backup, "status"), "startTimestamp"), name_of(*backup)});
  }
  if (latest.second.empty()) problems.push_back(any ? "No completed backups found for schedule" : "No backups found for schedule");
  return latest.second;
}

std::optional<Location> RestoreController::complete(RestoreSpec& spec, std::vector<std::string>& problems) const {
  if (!problems.empty()) return std::nullopt;
  if (spec.backup_name.empty()) {
    spec.backup_name = latest_of(spec.schedule_name, problems);
    if (spec.backup_name.empty()) return std::nullopt;
    spec.document["backupName"] = spec.backup_name;
  }
  const ObjectRef backup = c_.objects.find(Kind::kBackup, spec.backup_name);
  const auto location = locations_.of_backup(spec.backup_name);
  if (!location) {
    problems.push_back("Error retrieving backup: " + location.error().message());
    return std::nullopt;
  }
  if (spec.schedule_name.empty()) {
    const std::string schedule = text_at(object_at(metadata_of(*backup), "labels"), kScheduleLabel);
    if (!schedule.empty()) spec.document["scheduleName"] = schedule;
  }
  return *location;
}

Result<LookAgain> RestoreController::accept(const ObjectRef& restore) {
  const std::string name = name_of(*restore);
  std::vector<std::string> problems;
  json::object given = object_at(*restore, "spec");
  // Accepted by an earlier process: the second source is what that one filled in.
  if (is_ours(*restore, c_) && !view_at(given, "backupName").empty()) given.erase("scheduleName");
  RestoreSpec spec = parse_restore_spec(given, problems);
  json::object to_run = spec.document;  // of the two sources only one may be named
  const std::optional<Location> location = complete(spec, problems);
  if (location) {
    to_run["backupName"] = spec.backup_name;
    to_run.erase("scheduleName");
  }
  json::object metadata{{"annotations", json::object{{kServerAnnotation, c_.options.appliance_id}}}};
  if (!finalizers_without_ours(*restore)) metadata["finalizers"] = finalizers_with_ours(*restore);
  json::object patch{{"metadata", std::move(metadata)}, {"spec", spec.document}};
  if (!problems.empty()) {
    patch["status"] = json::object{{"phase", "FailedValidation"}, {"validationErrors", json::array(problems.begin(), problems.end())}};
  }
  HF_TRY(const ObjectRef taken, c_.objects.patch(Kind::kRestore, name, std::move(patch), restore));
  if (!problems.empty()) return std::nullopt;
  if (auto started = start(taken, *location, to_run); !started) {
    runs_.forget(name);
    json::object failed{{"phase", "Failed"}, {"failureReason", started.error().message()}};
    HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"status", std::move(failed)}}));
    return std::nullopt;
  }
  return kShowProgressEvery;
}

Result<void> RestoreController::start(const ObjectRef& restore, const Location& location, const json::object& spec) {
  const std::string name = name_of(*restore);
  RestoreRun run;
  run.place = location.read_only ? c_.options.location.place : location.place;
  run.order.name = name;
  run.order.name_space = c_.name_space();
  run.order.uid = text_at(metadata_of(*restore), "uid");
  run.order.spec = json::serialize(spec);
  run.order.source = location.place;
  run.order.spool_directory = c_.options.spool_directory;
  run.order.refuse_incomplete = false;  // nobody could ask for more than the object says
  call_back(run, c_.gate, [this, name] { return begin(name); }, [this, name](RestoreOutcome outcome) { end(name, std::move(outcome)); });
  runs_.open(name, Run{run.order.uid, nullptr, false, 0, {}});
  HF_TRY(const auto progress, c_.appliance.start_restore(std::move(run)));
  runs_.change(name, [&](Run& r) { return (r.progress = progress) != nullptr; });
  return {};
}

Result<void> RestoreController::begin(const std::string& name) {
  const ObjectRef restore = c_.objects.find(Kind::kRestore, name);
  const auto run = runs_.find(name);
  if (!restore || !run || !is_about(*run, *restore) || is_being_deleted(*restore)) {
    return error(Code::kNotFound, "its Restore object was deleted before it began");
  }
  json::object status{{"phase", "InProgress"}, {"startTimestamp", rfc3339(c_.clock().wall_ms())}};
  HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"status", std::move(status)}}));
  runs_.change(name, [](Run& r) { return r.began = true; });
  return {};
}

void RestoreController::end(const std::string& name, RestoreOutcome outcome) {
  const bool known = runs_.change(name, [&](Run& r) {
    r.outcome = std::move(outcome);
    return true;
  });
  if (known) c_.queue.add({Topic::kRestore, name});
}

Result<LookAgain> RestoreController::follow(const ObjectRef& restore, Run run) {
  if (!run.began || !run.progress) return kShowProgressEvery;
  const bool finalizes = run.progress->finalizing && phase_of(*restore) == "InProgress";
  if (!finalizes && run.progress->items == run.shown_items) return kShowProgressEvery;
  const std::string name = name_of(*restore);
  run.shown_items = run.progress->items;
  const bool still = runs_.change(name, [&](Run& r) {
    if (r.outcome) return false;
    r.shown_items = run.shown_items;
    return true;
  });
  if (!still) return kShowProgressEvery;  // nothing may follow upon the end
  const uint64_t total = std::max<uint64_t>(run.shown_items, run.progress->total);
  json::object progress{{"itemsRestored", run.shown_items}, {"totalItems", total}};
  json::object status{{"progress", std::move(progress)}};
  if (finalizes) status["phase"] = "Finalizing";
  HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"status", std::move(status)}}));
  return kShowProgressEvery;
}

Result<LookAgain> RestoreController::finish(const ObjectRef& restore, const Run& run) {
  const std::string name = name_of(*restore);
  const RestoreOutcome& outcome = *run.outcome;
  json::object status = object_at(object_or_empty(outcome.document), "status");
  status["phase"] = outcome.phase;
  if (!outcome.failure_reason.empty()) status["failureReason"] = outcome.failure_reason;
  if (!status.contains("completionTimestamp")) status["completionTimestamp"] = rfc3339(c_.clock().wall_ms());
  const auto done = c_.objects.patch(Kind::kRestore, name, {{"status", std::move(status)}});
  if (!done && !is_given_up(done)) return std::unexpected(done.error());
  runs_.forget(name);
  return std::chrono::milliseconds(0);  // it may have been deleted meanwhile
}

Result<LookAgain> RestoreController::settle(const ObjectRef& restore) {
  const std::string name = name_of(*restore);
  const bool ours = is_ours(*restore, c_);
  if (!ours) {
    if (const LookAgain later = strangers_.leave_alone(*restore, c_.clock())) return later;
  }
  json::object status{{"phase", "Failed"}, {"failureReason", ours ? "the server ended while it ran; what it had restored is there" : "the server that ran it is gone"},
                      {"completionTimestamp", rfc3339(c_.clock().wall_ms())}};
  HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"status", std::move(status)}}, restore));
  return std::nullopt;
}

Result<LookAgain> RestoreController::release(const ObjectRef& restore) {
  const std::string name = name_of(*restore);
  auto others = finalizers_without_ours(*restore);
  if (!others) return std::nullopt;
  const auto location = locations_.of_backup(text_at(object_at(*restore, "spec"), "backupName"));
  const BackupPlace place = location && !location->read_only ? location->place : c_.options.location.place;
  if (auto gone = delete_restore_records(place, name); !gone) return std::unexpected(gone.error());
  const auto done = c_.objects.patch(Kind::kRestore, name, {{"metadata", json::object{{"finalizers", std::move(*others)}}}}, restore);
  if (!done && done.error().code() != Code::kNotFound) return std::unexpected(done.error());
  return std::nullopt;
}

}  // namespace holdfast::k8s
