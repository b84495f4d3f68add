#include "k8s/velero/schedule_controller.h"

#include "k8s/cron.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {

constexpr int64_t kLongestWaitMs = 600'000;
constexpr std::chrono::milliseconds kLookAtRunningEvery{5'000};

// What the next time is counted from.
int64_t last_ms(const json::object& schedule) {
  const json::object& status = object_at(schedule, "status");
  auto last = parse_iso8601(view_at(status, "lastBackup"));
  if (!last) last = parse_iso8601(view_at(metadata_of(schedule), "creationTimestamp"));
  const auto skipped = parse_iso8601(view_at(status, "lastSkipped"));
  return std::max(last.value_or(0), skipped.value_or(0));
}

}  // namespace

KnownSchedule known_schedule(const json::object& schedule, const std::vector<ObjectRef>& backups, int64_t now_ms) {
  const json::object& spec = object_at(schedule, "spec");
  KnownSchedule known;
  known.name = name_of(schedule);
  known.schedule = text_at(spec, "schedule");
  known.phase = phase_of(schedule);
  for (const std::string& why : texts_at(object_at(schedule, "status"), "validationErrors")) known.reason += (known.reason.empty() ? "" : "; ") + why;
  known.paused = is_true(spec, "paused");
  if (const auto cron = Cron::parse(known.schedule); cron && !known.paused) known.next_ms = cron->next(std::max(last_ms(schedule), now_ms)).value_or(0);
  std::string newest;
  for (const ObjectRef& backup : backups) {
    const std::string made = text_at(metadata_of(*backup), "creationTimestamp");
    if (made >= newest) known.last_phase = phase_of(*backup).empty() ? "New" : phase_of(*backup);
    newest = std::max(newest, made);
    const auto ended_ms = parse_iso8601(view_at(object_at(*backup, "status"), "completionTimestamp"));
    if (phase_of(*backup) == "Completed" && ended_ms) known.last_completed_ms = std::max(known.last_completed_ms, *ended_ms);
  }
  return known;
}

json::object scheduled_backup(const json::object& schedule, int64_t unix_ms) {
  const json::object& metadata = metadata_of(schedule);
  const json::object& spec = object_at(schedule, "spec");
  json::object backup_spec = object_at(spec, "template");
  const std::string schedule_name = text_at(metadata, "name");
  const json::object& of_template = object_at(backup_spec, "metadata");
  json::object labels = object_at(of_template.contains("labels") ? of_template : metadata, "labels");
  labels[kScheduleLabel] = label_value(schedule_name);
  json::object annotations = object_at(metadata, "annotations");
  annotations.erase("kubectl.kubernetes.io/last-applied-configuration");
  json::object made{{"name", schedule_name + "-" + date_digits(unix_ms)}, {"namespace", view_at(metadata, "namespace")}, {"labels", std::move(labels)}, {"annotations", std::move(annotations)}};
  if (is_true(spec, "useOwnerReferencesInBackup")) {
    made["ownerReferences"] = json::array{json::object{{"apiVersion", "velero.io/v1"}, {"kind", "Schedule"}, {"name", schedule_name}, {"uid", view_at(metadata, "uid")}, {"controller", true}}};
  }
  return {{"apiVersion", "velero.io/v1"}, {"kind", "Backup"}, {"metadata", std::move(made)}, {"spec", std::move(backup_spec)}};
}

Result<ObjectRef> ScheduleController::update(const ObjectRef& schedule, const std::string& problem) const {
  const json::object& spec = object_at(*schedule, "spec");
  json::object patch, status;
  const char* phase = problem.empty() ? "Enabled" : "FailedValidation";
  const std::vector<std::string> known = texts_at(object_at(*schedule, "status"), "validationErrors");
  if (phase_of(*schedule) != phase || known != (problem.empty() ? std::vector<std::string>() : std::vector<std::string>{problem})) {
    status["phase"] = phase;
    if (problem.empty()) status["validationErrors"] = nullptr;
    else status["validationErrors"] = json::array{problem};
  }
  const bool* skip = flag_at(spec, "skipImmediately");
  if (skip == nullptr || *skip) patch["spec"] = json::object{{"skipImmediately", false}};
  if (skip != nullptr && *skip) status["lastSkipped"] = rfc3339(c_.clock().wall_ms());
  if (!status.empty()) patch["status"] = std::move(status);
  if (patch.empty()) return schedule;
  return c_.objects.patch(Kind::kSchedule, name_of(*schedule), std::move(patch), schedule);
}

bool ScheduleController::one_is_running(const std::string& schedule) const {
  for (const ObjectRef& backup : c_.objects.backups_of(schedule)) {
    const std::string phase = phase_of(*backup);
    if (is_new(*backup) || phase == "Queued" || phase == "ReadyToStart" || phase == "InProgress" || phase.starts_with("Finalizing")) return true;
  }
  return false;
}

bool ScheduleController::was_made(const std::string& schedule, int64_t due_ms) const {
  for (const ObjectRef& backup : c_.objects.backups_of(schedule)) {
    if (parse_iso8601(view_at(metadata_of(*backup), "creationTimestamp")).value_or(0) >= due_ms) return true;
  }
  return false;
}

Result<void> ScheduleController::submit(const ObjectRef& schedule, int64_t due_ms) const {
  const int64_t now_ms = c_.clock().wall_ms();
  const std::string name = name_of(*schedule);
  // A server that ended in between has made it, and not said so.
  if (!was_made(name, due_ms)) {
    const json::object backup = scheduled_backup(*schedule, now_ms);
    auto made = c_.objects.create(Kind::kBackup, backup);
    if (!made && made.error().code() != Code::kAlreadyExists) return made;
    spdlog::info("schedule {} is due: backup {}", name, name_of(backup));
  }
  HF_CHECK(c_.objects.patch(Kind::kSchedule, name, {{"status", json::object{{"lastBackup", rfc3339(now_ms)}}}}));
  return {};
}

Result<LookAgain> ScheduleController::reconcile(const std::string& name) {
  ObjectRef schedule = c_.objects.find(Kind::kSchedule, name);
  if (!schedule || is_being_deleted(*schedule)) return std::nullopt;
  if (is_true(object_at(*schedule, "spec"), "paused")) return std::nullopt;
  const std::string text = text_at(object_at(*schedule, "spec"), "schedule");
  const auto cron = Cron::parse(text);
  std::string problem;
  if (text.empty()) problem = "Schedule must be a non-empty valid Cron expression";
  else if (!cron) problem = "invalid schedule: " + cron.error().message();
  HF_TRY(schedule, update(schedule, problem));
  if (!problem.empty()) return std::nullopt;
  const auto next_ms = cron->next(last_ms(*schedule));
  if (!next_ms) return std::nullopt;  // a day that does not come, such as the 30th of February
  const int64_t left_ms = *next_ms - c_.clock().wall_ms();
  if (left_ms > 0) return std::chrono::milliseconds(std::min(left_ms, kLongestWaitMs));
  if (one_is_running(name)) return kLookAtRunningEvery;
  HF_CHECK(submit(schedule, *next_ms));
  return std::chrono::milliseconds(1'000);
}

}  // namespace holdfast::k8s
