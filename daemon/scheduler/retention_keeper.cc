#include "daemon/scheduler/retention_keeper.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr int64_t kAgainMs = 600'000;        // after an error
constexpr int64_t kAtLeastEveryMs = 86'400'000;  // somebody else may have removed what kept the others from being the latest
}  // namespace

PolicyVerdicts judge_all(const Policy& policy, const std::vector<OwnedPoint>& points, int64_t now_ms, const WhyItStays& why_it_stays) {
  std::map<std::string, std::vector<TierPoint>> by_tier;
  for (const OwnedPoint& p : points) {
    if (p.policy == policy.name) by_tier[p.tier].push_back(p.point);
  }
  PolicyVerdicts all;
  for (auto& [name, of_tier] : by_tier) {
    const PolicyTier* tier = policy.tier(name);
    const RetentionRule rule = tier == nullptr ? RetentionRule{.forever = true} : tier->retention;
    std::optional<k8s::TimeZone> zone;
    if (tier != nullptr && !tier->time_zone.empty()) {
      if (auto found = k8s::TimeZone::find(tier->time_zone)) zone = *found;
    }
    TierVerdicts judged = judge(std::move(of_tier), rule, zone, now_ms);
    if (judged.next_ms != 0 && (all.next_ms == 0 || judged.next_ms < all.next_ms)) all.next_ms = judged.next_ms;
    for (RetentionVerdict& v : judged.points) {
      v.tier = name;
      if (tier == nullptr) v.why = "its tier is no more: it is kept until somebody deletes it";
      std::string held = v.keep || !why_it_stays ? "" : why_it_stays(policy, {policy.name, name, {v.backup, v.started_ms, true, true}});
      if (!held.empty()) {
        v.keep = all.some_wait = true;
        v.why = std::move(held);
      }
      all.points.push_back(std::move(v));
    }
  }
  return all;
}

void RetentionKeeper::look_at(const std::string& policy) {
  std::lock_guard lock(mutex_);
  known_.erase(policy);
}

bool RetentionKeeper::is_due(const Policy& policy) const {
  std::lock_guard lock(mutex_);
  const auto found = known_.find(policy.name);
  if (found == known_.end() || found->second.policy.lock().get() != &policy) return true;
  const int64_t left_ms = found->second.next_ms - clock_.wall_ms();
  return left_ms <= 0 || left_ms > kAtLeastEveryMs;  // the clock was put back
}

// Gives whether all are locked that should be.
bool RetentionKeeper::lock(const Policy& policy, std::vector<OwnedPoint>& points, const std::stop_token& stop) {
  bool whole = true;
  for (OwnedPoint& p : points) {
    const PolicyTier* tier = p.policy == policy.name && p.point.ended ? policy.tier(p.tier) : nullptr;
    if (tier == nullptr || tier->lock_ms == 0) continue;
    const int64_t now_ms = clock_.wall_ms(), until_ms = lock_end_ms(tier->lock_ms, p.point.started_ms, now_ms);
    if (until_ms <= now_ms || until_ms <= p.point.locked_until_ms) continue;
    if (p.point.started_ms > now_ms && p.point.locked_until_ms > now_ms) continue;  // by a clock that was ahead: not longer and longer
    if (stop.stop_requested() || !may_remove_() || !is_in_force_(policy)) return false;
    const auto locked = maker_.lock_point(policy.cluster, p.point.name, until_ms);
    if (locked) {
      spdlog::info("policy {}, tier {}: restore point {} is locked until {}", policy.name, p.tier, p.point.name, rfc3339(until_ms));
      p.point.locked_until_ms = until_ms;
    } else if (locked.error().code() == Code::kUnavailable) {
      whole = false;  // its end is told
    } else if (locked.error().code() != Code::kNotFound) {
      spdlog::error("policy {}, tier {}: restore point {} cannot be locked: {}", policy.name, p.tier, p.point.name, locked.error().message());
      whole = false;
    }
  }
  return whole;
}

bool RetentionKeeper::remove(const Policy& policy, const std::vector<RetentionVerdict>& verdicts, const std::stop_token& stop) {
  bool whole = true;
  for (const RetentionVerdict& v : verdicts) {
    if (v.keep) continue;
    if (stop.stop_requested() || !may_remove_() || !is_in_force_(policy)) return false;
    const auto removed = maker_.remove_point(policy.cluster, v.backup);
    if (removed) {
      spdlog::info("policy {}, tier {}: restore point {} is removed: {}", policy.name, v.tier, v.backup, v.why);
    } else if (removed.error().code() != Code::kNotFound) {
      spdlog::error("policy {}, tier {}: restore point {} cannot be removed: {}", policy.name, v.tier, v.backup, removed.error().message());
      whole = false;
    }
  }
  return whole;
}

void RetentionKeeper::pass(const std::vector<std::shared_ptr<const Policy>>& policies, const std::stop_token& stop) {
  std::map<std::string, Result<std::vector<OwnedPoint>>> listed;  // by cluster
  for (const auto& policy : policies) {
    if (stop.stop_requested() || !may_remove_()) return;
    if (!is_due(*policy)) continue;
    {
      // What ends from here on is looked at the next time.
      std::lock_guard lock(mutex_);
      known_[policy->name] = {policy, clock_.wall_ms() + kAgainMs};
    }
    auto points = listed.find(policy->cluster);
    if (points == listed.end()) points = listed.emplace(policy->cluster, maker_.points(policy->cluster)).first;
    if (!points->second) {
      spdlog::warn("policy {}: its restore points cannot be listed, so none is removed: {}", policy->name, points->second.error().message());
      continue;
    }
    const bool locked = lock(*policy, *points->second, stop);
    const PolicyVerdicts verdicts = judge_all(*policy, *points->second, clock_.wall_ms(), why_it_stays_);
    if (!remove(*policy, verdicts.points, stop)) continue;
    std::lock_guard lock(mutex_);
    const auto known = known_.find(policy->name);
    if (known == known_.end() || verdicts.some_wait || !locked) continue;  // those are looked at again soon
    const int64_t latest_ms = clock_.wall_ms() + kAtLeastEveryMs;
    known->second.next_ms = verdicts.next_ms == 0 ? latest_ms : std::min(verdicts.next_ms, latest_ms);
  }
}

}  // namespace holdfast
