// Locks the restore points of policies, and removes those that no rule keeps. Looks only where something may have changed: where a backup has
// ended, where a rule was changed, where one has grown too old.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>

#include "daemon/scheduler/backup_maker.h"
#include "storage/base/clock.h"

namespace holdfast {

struct PolicyVerdicts {
  std::vector<RetentionVerdict> points;
  int64_t next_ms = 0;      // as in TierVerdicts
  bool some_wait = false;   // no rule keeps them, something else does
};
// Why a point stays that no rule keeps; empty: nothing holds it.
using WhyItStays = std::function<std::string(const Policy& policy, const OwnedPoint& point)>;

// Of the points that a tier of the policy made; of tiers that are no more all stay, and those that something else holds.
PolicyVerdicts judge_all(const Policy& policy, const std::vector<OwnedPoint>& points, int64_t now_ms, const WhyItStays& why_it_stays);

// Thread-safe.
class RetentionKeeper {
 public:
  // `is_in_force`: asked before each removal, for somebody may just have decided otherwise.
  RetentionKeeper(BackupMaker& maker, Clock& clock, std::function<bool()> may_remove, WhyItStays why_it_stays, std::function<bool(const Policy&)> is_in_force)
      : maker_(maker), clock_(clock), may_remove_(std::move(may_remove)), why_it_stays_(std::move(why_it_stays)), is_in_force_(std::move(is_in_force)) {}

  // What is known of that policy's points is out of date.
  void look_at(const std::string& policy);
  // Blocks while it lists and removes. Nothing is removed while the clock is in doubt.
  void pass(const std::vector<std::shared_ptr<const Policy>>& policies, const std::stop_token& stop);

 private:
  bool is_due(const Policy& policy) const;
  bool lock(const Policy& policy, std::vector<OwnedPoint>& points, const std::stop_token& stop);
  bool remove(const Policy& policy, const std::vector<RetentionVerdict>& verdicts, const std::stop_token& stop);

  BackupMaker& maker_;
  Clock& clock_;
  const std::function<bool()> may_remove_;
  const WhyItStays why_it_stays_;
  const std::function<bool(const Policy&)> is_in_force_;
  mutable std::mutex mutex_;
  struct Known {
    std::weak_ptr<const Policy> policy;  // that it was judged by
    int64_t next_ms = 0;                 // Unix time
  };
  std::map<std::string, Known> known_;
};

}  // namespace holdfast
