// What became of the tiers of policies, as it is kept in the settings.
#pragma once

#include <deque>
#include <string>

#include "daemon/policies.h"
#include "storage/bucket_store.h"

namespace holdfast {

struct TierFacts {
  std::string schedule;    // by which its times were counted
  int64_t handled_ms = 0;  // times up to here are seen to
  int64_t since_ms = 0;    // when it was first known; 0: not kept yet
  uint64_t next_id = 1;
  TierTotals totals;
  std::deque<PolicyRun> runs;  // oldest first
};

// Thread-safe. A run is one setting, written when it changes; it carries the totals as they were then, so that the two never
// disagree after a crash.
class RunStore {
 public:
  explicit RunStore(SettingsStore& settings) : settings_(settings) {}

  // Runs that cannot be read are left out.
  TierFacts load(const std::string& policy, const std::string& tier) const;
  // Schedule and handled_ms.
  Result<void> put_tier(const std::string& policy, const std::string& tier, const TierFacts& facts);
  Result<void> put_run(const std::string& policy, const std::string& tier, const PolicyRun& run, const TierTotals& totals);
  Result<void> remove_run(const std::string& policy, const std::string& tier, uint64_t id);
  Result<void> remove_tier(const std::string& policy, const std::string& tier);

 private:
  SettingsStore& settings_;
};

}  // namespace holdfast
