// Settings in memory, and clusters whose backups take simulated time, for tests of the scheduler.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "daemon/scheduler/backup_maker.h"
#include "storage/base/clock.h"
#include "storage/bucket_store.h"

namespace holdfast {

// Thread-safe.
class MemorySettings final : public SettingsStore {
 public:
  Result<std::string> setting(const std::string& name) const override;
  std::vector<std::string> setting_names(const std::string& prefix) const override;
  Result<void> put_setting(const std::string& name, const std::string& text) override;

  std::function<bool()> fails;  // asked at each write; empty: never

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> texts_;
};

// How one attempt goes.
struct SimulatedOutcome {
  int64_t takes_ms = 60'000;
  std::string phase = "Completed";
  Result<void> begins;  // an error: it does not begin
};

// Thread-safe. Fails the test where two backups of one tier would run at once.
class SimulatedClusters final : public BackupMaker {
 public:
  explicit SimulatedClusters(Clock& clock) : clock_(clock) {}

  Result<void> begin(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) override;
  Result<BackupLook> look(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) override;
  void cancel(const std::string& cluster, const std::string& backup) override;
  Result<std::vector<OwnedPoint>> points(const std::string& cluster) override;
  Result<void> lock_point(const std::string& cluster, const std::string& backup, int64_t until_ms) override;
  // Fails the test where one is removed that is locked by the clock's time.
  Result<void> remove_point(const std::string& cluster, const std::string& backup) override;

  // What was running is known as failed, or `forgotten`.
  void crash(bool forgotten);
  // When the next one ends by itself, by the monotonic clock.
  std::optional<int64_t> next_end_ms() const;
  std::vector<std::string> begun() const;  // every name, in order
  std::vector<std::string> point_names() const;

  std::function<Result<void>()> may_lock = [] { return Result<void>(); };
  std::function<SimulatedOutcome()> outcome = [] { return SimulatedOutcome(); };

 private:
  struct Backup {
    std::string policy, tier, phase, reason;
    int64_t started_wall_ms = 0, ends_ms = 0;
    bool ended = false;
    int64_t locked_until_ms = 0;
  };
  void settle();

  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Backup> backups_;
  std::set<std::string> running_;  // of them
  std::vector<std::string> begun_;
};

}  // namespace holdfast
