// Runs policies by their times.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "daemon/scheduler/retention_keeper.h"
#include "daemon/scheduler/tier_runner.h"
#include "storage/base/worker.h"

namespace holdfast {

struct SchedulerParts {
  SettingsStore* settings = nullptr;
  BackupMaker* maker = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::function<bool()> may_remove;  // false: no restore point is removed
  WhyItStays why_it_stays;              // empty: nothing but rules holds restore points
  std::function<void()> on_new_point;   // a run has completed; empty: nobody asks
  std::function<void()> on_policies = {};  // they have changed; empty: nobody asks
  EventSink tell = {};                   // empty: nobody listens
  std::function<bool()> is_active = {};  // false: nothing runs now; empty: it always does
  std::function<Result<void>()> check_standing = {};  // kFailedPrecondition: this appliance is not the one that acts
};

class Scheduler final : public PolicyService {
 public:
  explicit Scheduler(SchedulerParts parts);

  // Reads the policies. Before anything else is called.
  void load();
  // From now on a thread of its own calls step() and remove_expired().
  void start();
  void stop();
  // A backup has ended, or the clusters have changed.
  void wake();

  Result<std::string> apply_policy(const std::string& text) override;
  std::vector<PolicyStatus> policies() const override;
  Result<PolicyStatus> policy(const std::string& name) const override;
  Result<void> pause_policy(const std::string& name, bool paused) override;
  Result<uint64_t> run_policy(const std::string& name, const std::string& tier) override;
  Result<void> remove_policy(const std::string& name) override;
  Result<std::vector<RetentionVerdict>> judge_points(const std::string& name) const override;

  Result<RetentionForecast> forecast(const std::string& name, const std::string& document, int64_t length_ms) const override;

  // Some of its restore points may go now.
  void look_at_points(const std::string& policy);
  // Of all policies that are not paused.
  std::vector<CopyOrder> copy_orders() const;
  std::vector<VerificationOrder> verification_orders() const;

  // What is due now; in how many ms it wants to be called again.
  int64_t step();
  // Removes the restore points that no rule keeps.
  void remove_expired(const std::stop_token& stop);

 private:
  struct Tier {
    std::unique_ptr<TierRunner> runner;
    int64_t next_ms = 0;  // monotonic
  };
  struct Entry {
    std::shared_ptr<const Policy> policy;
    std::map<std::string, Tier> tiers;
  };

  TierSurroundings surroundings() { return {&runs_, p_.maker, p_.clock, p_.random, p_.tell}; }
  Result<void> store(const Policy& policy);
  Result<void> install(std::shared_ptr<const Policy> policy);
  Result<Entry*> find(const std::string& name);
  Result<std::shared_ptr<const Policy>> in_force(const std::string& name) const;
  static PolicyStatus status_of(const Entry& entry);
  bool clock_has_jumped();
  std::vector<std::shared_ptr<const Policy>> all() const;
  bool is_in_force(const Policy& policy) const;

  const SchedulerParts p_;
  RunStore runs_;
  RetentionKeeper keeper_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  int64_t offset_ms_ = 0;  // wall clock less monotonic clock when it was last looked at
  std::atomic<bool> woken_{false};
  std::unique_ptr<Worker> runner_, remover_;
};

}  // namespace holdfast
