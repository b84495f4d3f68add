#include "daemon/scheduler/retention_forecast.h"

#include <algorithm>

#include "storage/base/times.h"

namespace holdfast {

namespace {

constexpr uint64_t kMostJudged = 2'000'000;  // verdicts, of all tiers together

class TierForecast {
 public:
  TierForecast(const Policy& policy, const PolicyTier& tier, const WhyItStays& why_it_stays, uint64_t& judged) : policy_(policy), tier_(tier), why_it_stays_(why_it_stays), judged_(judged) {
    if (tier.time_zone.empty()) return;
    if (auto zone = k8s::TimeZone::find(tier.time_zone)) zone_ = *zone;
  }

  void run(const std::vector<OwnedPoint>& points, int64_t now_ms, int64_t horizon_ms, RetentionForecast& out) {
    for (const OwnedPoint& p : points) {
      if (p.policy != policy_.name || p.tier != tier_.name) continue;
      points_.push_back(p.point);
      // As it will be when the policy has seen to it.
      if (tier_.lock_ms > 0) points_.back().locked_until_ms = std::max(p.point.locked_until_ms, p.point.started_ms + tier_.lock_ms);
      fates_[p.point.name] = {tier_.name, p.point.name, p.point.started_ms, true, "", 0};
    }
    int64_t at_ms = now_ms;
    int64_t next_ms = look(at_ms, true);
    if (std::any_of(points_.begin(), points_.end(), [](const TierPoint& p) { return !p.ended; })) {
      for (TierPoint& p : points_) {
        p.good = p.good || !p.ended;
        p.ended = true;
      }
      next_ms = look(at_ms, false);  // as soon as what runs has completed
    }
    while (at_ms < horizon_ms && judged_ < kMostJudged) {
      const auto due_ms = tier_.times.next(at_ms);
      at_ms = std::min({due_ms.value_or(horizon_ms), next_ms == 0 ? horizon_ms : next_ms, horizon_ms});
      if (due_ms == at_ms && at_ms < horizon_ms) points_.push_back({"at " + rfc3339(at_ms), at_ms, true, true, false, tier_.lock_ms > 0 ? at_ms + tier_.lock_ms : 0});
      next_ms = look(at_ms, false);
    }
    if (at_ms < horizon_ms) out.ends_ms = std::min(out.ends_ms, at_ms);
    for (auto& [name, fate] : fates_) out.points.push_back(std::move(fate));
    for (auto& [month, state] : months_) out.months.push_back(std::move(state));
  }

 private:
  // Takes away what no rule keeps at that time. When one of the rest will have grown too old; 0: none will.
  int64_t look(int64_t at_ms, bool now) {
    judged_ += points_.size();
    const TierVerdicts judged = judge(points_, tier_.retention, zone_, at_ms);
    for (const RetentionVerdict& v : judged.points) {
      const auto fate = fates_.find(v.backup);
      if (fate != fates_.end()) settle(fate->second, v, at_ms, now);
      if (!v.keep) std::erase_if(points_, [&](const TierPoint& p) { return p.name == v.backup; });
    }
    RetentionForecast::Month& month = months_[rfc3339(at_ms).substr(0, 7)];
    month = {tier_.name, rfc3339(at_ms).substr(0, 7), points_.size(), 0};
    for (const TierPoint& p : points_) month.oldest_ms = month.oldest_ms == 0 ? p.started_ms : std::min(month.oldest_ms, p.started_ms);
    return judged.next_ms;
  }

  void settle(RetentionForecast::Fate& fate, const RetentionVerdict& v, int64_t at_ms, bool now) const {
    const std::string held = v.keep || !why_it_stays_ ? "" : why_it_stays_(policy_, {policy_.name, tier_.name, {v.backup, v.started_ms, true, true}});
    if (now) {
      fate.keep = v.keep || !held.empty();
      fate.why = held.empty() ? v.why : held;
    }
    if (!v.keep && held.empty()) fate.until_ms = at_ms;
  }

  const Policy& policy_;
  const PolicyTier& tier_;
  const WhyItStays& why_it_stays_;
  uint64_t& judged_;
  std::optional<k8s::TimeZone> zone_;
  std::vector<TierPoint> points_;
  std::map<std::string, RetentionForecast::Fate> fates_;     // of those that there are
  std::map<std::string, RetentionForecast::Month> months_;   // "2026-11": as it is after the last change in it
};

}  // namespace

RetentionForecast forecast_policy(const Policy& policy, const std::vector<OwnedPoint>& points, int64_t now_ms, int64_t horizon_ms, const WhyItStays& why_it_stays) {
  RetentionForecast out;
  out.ends_ms = horizon_ms;
  uint64_t judged = 0;
  for (const PolicyTier& tier : policy.tiers) TierForecast(policy, tier, why_it_stays, judged).run(points, now_ms, horizon_ms, out);
  for (const OwnedPoint& p : points) {
    if (p.policy == policy.name && policy.tier(p.tier) == nullptr) out.points.push_back({p.tier, p.point.name, p.point.started_ms, true, "its tier is no more: it is kept until somebody deletes it", 0});
  }
  std::sort(out.points.begin(), out.points.end(), [](const auto& a, const auto& b) { return std::tuple(a.tier, -a.started_ms, a.backup) < std::tuple(b.tier, -b.started_ms, b.backup); });
  return out;
}

}  // namespace holdfast
