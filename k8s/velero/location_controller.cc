#include "k8s/velero/location_controller.h"

#include <algorithm>
#include <set>

#include "k8s/bucket/directory.h"

#include "k8s/spec/go_duration.h"
#include "storage/base/times.h"

namespace holdfast::k8s {

namespace {
constexpr int64_t kValidateEveryMs = 60'000;
constexpr int64_t kSyncEveryMs = 60'000;
}

LookAgain until_sync(const json::object& location, int64_t now_ms) {
  const auto period_ms = parse_duration_ms(view_at(object_at(location, "spec"), "backupSyncPeriod"));
  if (period_ms && *period_ms == 0) return std::nullopt;
  const int64_t every_ms = std::max<int64_t>(period_ms && *period_ms > 0 ? *period_ms : kSyncEveryMs, 1'000);
  const auto last_ms = parse_iso8601(view_at(object_at(location, "status"), "lastSyncedTime"));
  return std::chrono::milliseconds(last_ms ? std::clamp<int64_t>(*last_ms + every_ms - now_ms, 0, every_ms) : 0);
}

bool is_available(const json::object& location) { return phase_of(location) == "Available"; }

bool is_own(const BackupPlace& place, const ServerContext& c) {
  return place.elsewhere == nullptr && place.bucket == c.options.location.place.bucket && place.prefix == c.options.location.place.prefix;
}

namespace {

// What Velero would not stand (pkg/persistence/object_store_layout.go). Backups go on all the same: they matter more.
std::string stray_folders(const std::vector<std::string>& folders) {
  static const std::set<std::string> kKnown{"backups", "restores", "restic", "metadata", "plugins", "kopia"};
  std::string strays;
  for (const std::string& name : folders) {
    if (!kKnown.contains(name)) strays += (strays.empty() ? "" : " ") + name;
  }
  return strays.empty() ? "" : "Velero could not use it: Backup store contains invalid top-level directories: [" + strays + "]";
}

}  // namespace

LocationController::Verdict LocationController::judge(const std::string& name, const json::object& object) const {
  const json::object& spec = object_at(object, "spec");
  const json::object& storage = object_at(spec, "objectStorage");
  if (!view_at(storage, "caCert").empty() && !object_at(storage, "caCertRef").empty()) return {"cannot specify both caCert and caCertRef in objectStorage", ""};
  const auto location = locations_.find(name);
  if (!location) return {location.error().message(), ""};
  std::string warning = is_own(location->place, c_) ? others_.alarm() : "";
  const auto folders = directories(location->place, "");
  if (!folders) return {folders.error().message(), ""};
  const std::string strays = stray_folders(*folders);
  if (!strays.empty()) warning += (warning.empty() ? "" : "; ") + strays;
  return {"", warning};
}

Result<void> LocationController::keep_one_default() const {
  std::vector<ObjectRef> defaults;
  for (const ObjectRef& location : c_.objects.all(Kind::kLocation)) {
    if (is_true(object_at(*location, "spec"), "default") && !is_being_deleted(*location)) defaults.push_back(location);
  }
  if (defaults.size() < 2) return {};
  const auto age = [](const ObjectRef& o) { return std::pair(view_at(metadata_of(*o), "creationTimestamp"), view_at(metadata_of(*o), "name")); };
  const auto youngest = std::max_element(defaults.begin(), defaults.end(), [&](const ObjectRef& a, const ObjectRef& b) { return age(a) < age(b); });
  for (const ObjectRef& location : defaults) {
    if (location == *youngest) continue;
    HF_CHECK(c_.objects.patch(Kind::kLocation, name_of(*location), {{"spec", json::object{{"default", false}}}}, location));
  }
  return {};
}

Result<LookAgain> LocationController::reconcile(const std::string& name) {
  const ObjectRef object = c_.objects.find(Kind::kLocation, name);
  if (!object || is_being_deleted(*object)) return std::nullopt;
  HF_CHECK(keep_one_default());
  const json::object& status = object_at(*object, "status");
  const int64_t now_ms = c_.clock().wall_ms();
  const auto frequency_ms = parse_duration_ms(view_at(object_at(*object, "spec"), "validationFrequency"));
  const int64_t every_ms = frequency_ms && *frequency_ms >= 0 ? *frequency_ms : kValidateEveryMs;
  const auto [problem, warning] = judge(name, *object);
  const std::string message = problem.empty() ? warning : "BackupStorageLocation \"" + name + "\" is unavailable: " + problem;
  const bool same = phase_of(*object) == (problem.empty() ? "Available" : "Unavailable") && view_at(status, "message") == message;
  const auto validated_ms = parse_iso8601(view_at(status, "lastValidationTime"));
  const bool due = every_ms > 0 && (!validated_ms || *validated_ms + every_ms <= now_ms);
  if (!same || due) {
    json::object patch{{"phase", problem.empty() ? "Available" : "Unavailable"}, {"lastValidationTime", rfc3339(now_ms)}};
    if (message.empty()) patch["message"] = nullptr;
    else patch["message"] = message;
    HF_CHECK(c_.objects.patch(Kind::kLocation, name, {{"status", std::move(patch)}}));
  }
  if (problem.empty()) {
    if (const auto wait = until_sync(*object, now_ms)) c_.queue.add({Topic::kSync, name}, *wait);
  }
  return every_ms > 0 ? LookAgain(std::chrono::milliseconds(std::max<int64_t>(every_ms, 1000))) : std::nullopt;
}

}  // namespace holdfast::k8s
