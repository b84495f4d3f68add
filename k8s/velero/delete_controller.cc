#include "k8s/velero/delete_controller.h"

#include "k8s/velero/location_controller.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {
constexpr int64_t kAnsweredForMs = 24LL * 3'600'000;  // Velero: deleteBackupRequestMaxAge
constexpr int64_t kLongestWaitMs = 3'600'000;

bool is_in_progress(const std::string& phase) {
  return phase == "InProgress" || phase == "Queued" || phase == "ReadyToStart" || RestorePoint::is_being_finished(phase);
}
}  // namespace

Result<LookAgain> DeleteController::reconcile(const std::string& name) {
  const ObjectRef request = c_.objects.find(Kind::kDeleteRequest, name);
  if (!request || is_being_deleted(*request)) return std::nullopt;
  if (phase_of(*request) == "Processed") {
    const auto made_ms = parse_iso8601(view_at(metadata_of(*request), "creationTimestamp"));
    const int64_t left_ms = made_ms ? *made_ms + kAnsweredForMs - c_.clock().wall_ms() : 0;
    if (left_ms > 0) return std::chrono::milliseconds(std::min(left_ms, kLongestWaitMs));
    HF_CHECK(c_.objects.remove(Kind::kDeleteRequest, name));
    return std::nullopt;
  }
  const std::string backup_name = text_at(object_at(*request, "spec"), "backupName");
  if (backup_name.empty()) return answer(name, {"spec.backupName is required"});
  HF_CHECK(remove_others(name, backup_name));
  const ObjectRef backup = c_.objects.find(Kind::kBackup, backup_name);
  if (const std::string why = refusal(backup, backup_name); !why.empty()) return answer(name, {why});
  return work(request, backup);
}

std::string DeleteController::refusal(const ObjectRef& backup, const std::string& backup_name) const {
  if (backups_.is_busy(backup_name)) return "backup is still in progress";
  if (!backup) return "backup not found";
  if (is_in_progress(phase_of(*backup))) return "backup is still in progress";
  const std::string name = text_at(object_at(*backup, "spec"), "storageLocation");
  const ObjectRef location = c_.objects.find(Kind::kLocation, name);
  // One that failed its validation may name any location, and there is nothing of it anywhere.
  if (!location) return phase_of(*backup) == "FailedValidation" ? "" : "backup storage location " + name + " not found";
  if (view_at(object_at(*location, "spec"), "accessMode") == "ReadOnly") return "cannot delete backup because backup storage location " + name + " is currently in read-only mode";
  if (!is_available(*location)) return "cannot delete backup because backup storage location " + name + " is currently in Unavailable state";
  return lock_of(backup_name);
}

// Asked before its objects say that it is being deleted.
std::string DeleteController::lock_of(const std::string& backup_name) const {
  const auto location = locations_.of_backup(backup_name);
  if (!location) return "";
  const auto point = find_restore_point(location->place, backup_name);
  if (!point || !*point || (*point)->locked_until_ms <= c_.clock().wall_ms()) return "";
  return "backup is locked until " + rfc3339((*point)->locked_until_ms);
}

Result<void> DeleteController::remove_others(const std::string& name, const std::string& backup_name) const {
  for (const ObjectRef& other : c_.objects.all(Kind::kDeleteRequest)) {
    const std::string other_name = name_of(*other);
    if (other_name == name || view_at(object_at(*other, "spec"), "backupName") != backup_name) continue;
    HF_CHECK(c_.objects.remove(Kind::kDeleteRequest, other_name));
  }
  return {};
}

Result<LookAgain> DeleteController::work(const ObjectRef& request, const ObjectRef& backup) {
  const std::string name = name_of(*request), backup_name = name_of(*backup);
  json::object labels{{kBackupNameLabel, label_value(backup_name)}, {kBackupUidLabel, view_at(metadata_of(*backup), "uid")}};
  HF_CHECK(c_.objects.patch(Kind::kDeleteRequest, name, {{"metadata", json::object{{"labels", std::move(labels)}}}, {"status", json::object{{"phase", "InProgress"}}}}));
  const bool was_valid = phase_of(*backup) != "FailedValidation";
  HF_CHECK(c_.objects.patch(Kind::kBackup, backup_name, {{"status", json::object{{"phase", "Deleting"}}}}));
  std::vector<std::string> errors;
  if (was_valid) {
    const auto location = locations_.of_backup(backup_name);
    auto gone = location ? delete_restore_point(location->place, backup_name) : Result<void>(std::unexpected(location.error()));
    // What failed has left no restore point, at most its log.
    if (!gone && gone.error().code() == Code::kNotFound && location) gone = delete_leftovers(location->place, backup_name);
    if (!gone) errors.push_back("error removing backup from backup storage: " + gone.error().message());
  }
  for (const ObjectRef& restore : c_.objects.all(Kind::kRestore)) {
    if (view_at(object_at(*restore, "spec"), "backupName") != backup_name) continue;
    auto gone = c_.objects.remove(Kind::kRestore, name_of(*restore));
    if (!gone) errors.push_back("error deleting restore " + c_.name_space() + "/" + name_of(*restore) + ": " + gone.error().message());
  }
  if (errors.empty()) {
    auto gone = c_.objects.remove(Kind::kBackup, backup_name);
    if (!gone) errors.push_back("error deleting backup " + c_.name_space() + "/" + backup_name + ": " + gone.error().message());
  }
  if (!errors.empty()) return answer(name, errors);
  spdlog::info("backup {} and its restores were deleted, as {} asked", backup_name, name);
  HF_CHECK(answer(name, {}));
  HF_CHECK(c_.objects.remove(Kind::kDeleteRequest, name));
  return std::nullopt;
}

Result<LookAgain> DeleteController::answer(const std::string& name, const std::vector<std::string>& errors) const {
  json::object status{{"phase", "Processed"}};
  if (!errors.empty()) status["errors"] = json::array(errors.begin(), errors.end());
  HF_CHECK(c_.objects.patch(Kind::kDeleteRequest, name, {{"status", std::move(status)}}));
  return std::chrono::milliseconds(kLongestWaitMs);
}

}  // namespace holdfast::k8s
