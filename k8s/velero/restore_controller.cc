#include "k8s/velero/restore_controller.h"

#include "k8s/velero/location_controller.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kShowProgressEvery{1'000};
constexpr int64_t kStrangerQuietMs = 600'000;

bool has_ended(const std::string& phase) { return phase == "Completed" || phase == "PartiallyFailed" || phase == "Failed" || phase == "FailedValidation"; }

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

std::optional<RestoreController::Run> RestoreController::run_of(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = runs_.find(name);
  return found == runs_.end() ? std::nullopt : std::optional<Run>(found->second);
}

void RestoreController::forget(const std::string& name) {
  std::lock_guard lock(mutex_);
  runs_.erase(name);
}

Result<LookAgain> RestoreController::reconcile(const std::string& name) {
  const ObjectRef restore = c_.objects.find(Kind::kRestore, name);
  const auto run = run_of(name);
  if (!restore || (run && run->uid != view_at(metadata_of(*restore), "uid"))) {
    if (run && run->outcome) forget(name);
    if (!restore || run) return std::nullopt;
  }
  if (run) return run->outcome ? finish(restore, *run) : follow(restore, *run);
  if (is_being_deleted(*restore)) return release(restore);
  // A run that an earlier server of this process began.
  if (!has_ended(phase_of(*restore)) && c_.appliance.is_restoring(name)) return kShowProgressEvery;
  if (is_new(*restore)) return accept(restore);
  if (has_ended(phase_of(*restore))) {
    if (finalizers_without_ours(*restore)) return std::nullopt;
    json::array finalizers = array_at(metadata_of(*restore), "finalizers");
    finalizers.push_back(kRestoreFinalizer);
    HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"metadata", json::object{{"finalizers", std::move(finalizers)}}}}, restore));
    return std::nullopt;
  }
  return settle(restore);
}

std::string RestoreController::latest_of(const std::string& schedule, std::vector<std::string>& problems) const {
  std::pair<std::string, std::string> latest;  // start, name
  bool any = false;
  for (const ObjectRef& backup : c_.objects.all(Kind::kBackup)) {
    if (view_at(object_at(metadata_of(*backup), "labels"), kScheduleLabel) != label_value(schedule)) continue;
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
  const bool accepted_before = view_at(object_at(metadata_of(*restore), "annotations"), kServerAnnotation) == c_.options.appliance_id;
  if (accepted_before && !view_at(given, "backupName").empty()) given.erase("scheduleName");
  RestoreSpec spec = parse_restore_spec(given, problems);
  json::object to_run = spec.document;  // of the two sources only one may be named
  const std::optional<Location> location = complete(spec, problems);
  if (location) {
    to_run["backupName"] = spec.backup_name;
    to_run.erase("scheduleName");
  }
  json::object metadata{{"annotations", json::object{{kServerAnnotation, c_.options.appliance_id}}}};
  if (!finalizers_without_ours(*restore)) {
    json::array finalizers = array_at(metadata_of(*restore), "finalizers");
    finalizers.push_back(kRestoreFinalizer);
    metadata["finalizers"] = std::move(finalizers);
  }
  json::object patch{{"metadata", std::move(metadata)}, {"spec", spec.document}};
  if (!problems.empty()) {
    patch["status"] = json::object{{"phase", "FailedValidation"}, {"validationErrors", json::array(problems.begin(), problems.end())}};
  }
  HF_TRY(const ObjectRef taken, c_.objects.patch(Kind::kRestore, name, std::move(patch), restore));
  if (!problems.empty()) return std::nullopt;
  if (auto started = start(taken, *location, to_run); !started) {
    forget(name);
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
  run.begin = [this, name, gate = c_.gate] {
    return gate->through(error(Code::kUnavailable, "the server of the velero.io objects ended before it began"), [&]() -> Result<void> { return begin(name); });
  };
  run.end = [this, name, gate = c_.gate](RestoreOutcome outcome) {
    gate->through(false, [&] {
      end(name, std::move(outcome));
      return true;
    });
  };
  {
    std::lock_guard lock(mutex_);
    runs_[name] = Run{run.order.uid, nullptr, false, 0, {}};
  }
  HF_TRY(const auto progress, c_.appliance.start_restore(std::move(run)));
  std::lock_guard lock(mutex_);
  if (const auto mine = runs_.find(name); mine != runs_.end()) mine->second.progress = progress;
  return {};
}

Result<void> RestoreController::begin(const std::string& name) {
  const ObjectRef restore = c_.objects.find(Kind::kRestore, name);
  const auto run = run_of(name);
  if (!restore || !run || view_at(metadata_of(*restore), "uid") != run->uid || is_being_deleted(*restore)) {
    return error(Code::kNotFound, "its Restore object was deleted before it began");
  }
  json::object status{{"phase", "InProgress"}, {"startTimestamp", rfc3339(c_.clock().wall_ms())}};
  HF_CHECK(c_.objects.patch(Kind::kRestore, name, {{"status", std::move(status)}}));
  std::lock_guard lock(mutex_);
  if (const auto mine = runs_.find(name); mine != runs_.end()) mine->second.began = true;
  return {};
}

void RestoreController::end(const std::string& name, RestoreOutcome outcome) {
  {
    std::lock_guard lock(mutex_);
    const auto mine = runs_.find(name);
    if (mine == runs_.end()) return;
    mine->second.outcome = std::move(outcome);
  }
  c_.queue.add({Topic::kRestore, name});
}

Result<LookAgain> RestoreController::follow(const ObjectRef& restore, Run run) {
  if (!run.began || !run.progress || run.progress->items == run.shown_items) return kShowProgressEvery;
  const std::string name = name_of(*restore);
  run.shown_items = run.progress->items;
  {
    std::lock_guard lock(mutex_);
    const auto mine = runs_.find(name);
    if (mine == runs_.end() || mine->second.outcome) return kShowProgressEvery;
    mine->second.shown_items = run.shown_items;
  }
  const uint64_t total = std::max<uint64_t>(run.shown_items, run.progress->total);
  json::object progress{{"itemsRestored", run.shown_items}, {"totalItems", total}};
  json::object status{{"progress", std::move(progress)}};
  if (run.progress->finalizing && phase_of(*restore) == "InProgress") status["phase"] = "Finalizing";
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
  const bool given_up = !done && (done.error().code() == Code::kFailedPrecondition || done.error().code() == Code::kNotFound);
  if (!done && !given_up) return std::unexpected(done.error());
  forget(name);
  return std::chrono::milliseconds(0);  // it may have been deleted meanwhile
}

Result<LookAgain> RestoreController::settle(const ObjectRef& restore) {
  const std::string name = name_of(*restore);
  const json::object& metadata = metadata_of(*restore);
  const bool ours = view_at(object_at(metadata, "annotations"), kServerAnnotation) == c_.options.appliance_id;
  if (!ours) {
    const std::string version = text_at(metadata, "resourceVersion");
    const int64_t now_ms = c_.clock().monotonic_ms();
    auto& [seen, since_ms] = strangers_[name];
    if (seen != version) since_ms = now_ms;
    seen = version;
    if (now_ms - since_ms < kStrangerQuietMs) return std::chrono::milliseconds(kStrangerQuietMs - (now_ms - since_ms));
    strangers_.erase(name);
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
