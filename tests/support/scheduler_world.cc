#include "tests/support/scheduler_world.h"

#include <gtest/gtest.h>

namespace holdfast {

Result<std::string> MemorySettings::setting(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = texts_.find(name);
  if (found == texts_.end()) return error(Code::kNotFound, "no setting " + name);
  return found->second;
}

std::vector<std::string> MemorySettings::setting_names(const std::string& prefix) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (auto at = texts_.lower_bound(prefix); at != texts_.end() && at->first.starts_with(prefix); ++at) names.push_back(at->first);
  return names;
}

Result<void> MemorySettings::put_setting(const std::string& name, const std::string& text) {
  if (fails && fails()) return error(Code::kUnavailable, "the pool is read-only");
  std::lock_guard lock(mutex_);
  if (text.empty()) texts_.erase(name);
  else texts_[name] = text;
  return {};
}

void SimulatedClusters::settle() {
  std::erase_if(running_, [&](const std::string& name) {
    Backup& b = backups_.at(name);
    b.ended = b.ended || b.ends_ms <= clock_.monotonic_ms();
    return b.ended;
  });
}

Result<void> SimulatedClusters::begin(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) {
  std::lock_guard lock(mutex_);
  settle();
  if (backups_.contains(run.backup)) return error(Code::kAlreadyExists, "there is a backup " + run.backup);
  const SimulatedOutcome how = outcome();
  if (!how.begins) return how.begins;
  for (const std::string& name : running_) {
    const Backup& other = backups_.at(name);
    EXPECT_FALSE(other.policy == policy.name && other.tier == tier.name) << run.backup << " begins while " << name << " runs";
  }
  backups_[run.backup] = {policy.name, tier.name, how.phase, how.phase == "Completed" ? "" : "simulated", clock_.wall_ms(), clock_.monotonic_ms() + how.takes_ms};
  running_.insert(run.backup);
  begun_.push_back(run.backup);
  return {};
}

Result<BackupLook> SimulatedClusters::look(const Policy&, const PolicyTier&, const PolicyRun& run) {
  std::lock_guard lock(mutex_);
  settle();
  const auto found = backups_.find(run.backup);
  if (found == backups_.end()) return error(Code::kNotFound, "there is no backup " + run.backup);
  const Backup& b = found->second;
  return BackupLook{b.ended, b.ended ? b.phase : "InProgress", b.reason, 7, 0, b.phase == "PartiallyFailed" ? 1U : 0U};
}

void SimulatedClusters::cancel(const std::string&, const std::string& backup) {
  std::lock_guard lock(mutex_);
  settle();
  const auto found = backups_.find(backup);
  if (found == backups_.end() || found->second.ended) return;
  found->second.ended = true;
  found->second.phase = "Failed";
  found->second.reason = "cancelled";
}

Result<std::vector<OwnedPoint>> SimulatedClusters::points(const std::string&) {
  std::lock_guard lock(mutex_);
  settle();
  std::vector<OwnedPoint> all;
  for (const auto& [name, b] : backups_) {
    if (b.phase == "Completed" || b.phase == "PartiallyFailed" || !b.ended) all.push_back({b.policy, b.tier, {name, b.started_wall_ms, b.ended, b.phase == "Completed", false, b.locked_until_ms}});
  }
  return all;
}

Result<void> SimulatedClusters::lock_point(const std::string&, const std::string& backup, int64_t until_ms) {
  std::lock_guard lock(mutex_);
  const auto found = backups_.find(backup);
  if (found == backups_.end()) return error(Code::kNotFound, "there is no backup " + backup);
  HF_CHECK(may_lock());
  EXPECT_GT(until_ms, found->second.locked_until_ms) << backup;
  found->second.locked_until_ms = until_ms;
  return {};
}

Result<void> SimulatedClusters::remove_point(const std::string&, const std::string& backup) {
  std::lock_guard lock(mutex_);
  if (const auto found = backups_.find(backup); found != backups_.end()) {
    EXPECT_LE(found->second.locked_until_ms, clock_.wall_ms()) << backup << " is locked";
  }
  running_.erase(backup);
  if (backups_.erase(backup) == 0) return error(Code::kNotFound, "there is no backup " + backup);
  return {};
}

void SimulatedClusters::crash(bool forgotten) {
  std::lock_guard lock(mutex_);
  settle();
  for (const std::string& name : running_) {
    Backup& b = backups_.at(name);
    b.phase = "Failed";
    b.reason = "the daemon ended while it ran";
    b.ended = true;
    if (forgotten) backups_.erase(name);
  }
  running_.clear();
}

std::optional<int64_t> SimulatedClusters::next_end_ms() const {
  std::lock_guard lock(mutex_);
  std::optional<int64_t> next;
  for (const std::string& name : running_) {
    const Backup& b = backups_.at(name);
    if (!b.ended && (!next || b.ends_ms < *next)) next = b.ends_ms;
  }
  return next;
}

std::vector<std::string> SimulatedClusters::begun() const {
  std::lock_guard lock(mutex_);
  return begun_;
}

std::vector<std::string> SimulatedClusters::point_names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, b] : backups_) {
    if (b.ended && (b.phase == "Completed" || b.phase == "PartiallyFailed")) names.push_back(name);
  }
  return names;
}

}  // namespace holdfast
