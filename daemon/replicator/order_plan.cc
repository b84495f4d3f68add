#include "daemon/replicator/order_plan.h"

#include <algorithm>
#include <map>

namespace holdfast {

namespace {

TierPoint point_of(const SiteUnit& unit) { return {unit.backup, unit.started_ms, true, true, false, unit.locked_until_ms}; }

std::set<std::string> kept(const std::vector<RetentionVerdict>& verdicts) {
  std::set<std::string> names;
  for (const RetentionVerdict& v : verdicts) {
    if (v.keep) names.insert(v.backup);
  }
  return names;
}

}  // namespace

int64_t expiry_of(const RetentionRule& rule, int64_t started_ms) {
  const bool by_age = rule.keep_for_ms > 0 && !rule.forever && rule.last + rule.hourly + rule.daily + rule.weekly + rule.monthly + rule.yearly == 0;
  return by_age ? started_ms + rule.keep_for_ms : 0;
}

OrderPlan plan_order(const CopyOrder& order, const std::vector<TierPoint>& points, const std::vector<SiteUnit>& units, int64_t now_ms) {
  std::optional<k8s::TimeZone> zone;
  if (!order.time_zone.empty()) {
    if (auto found = k8s::TimeZone::find(order.time_zone)) zone = *found;
  }
  OrderPlan plan;
  std::vector<TierPoint> there, all;
  std::set<std::string> names;
  for (const SiteUnit& unit : units) {
    there.push_back(point_of(unit));
    names.insert(unit.backup);
  }
  const TierVerdicts now = judge(there, order.copy.retention, zone, now_ms);
  plan.next_ms = now.next_ms;
  const std::set<std::string> stay = kept(now.points);
  std::copy_if(units.begin(), units.end(), std::back_inserter(plan.remove), [&](const SiteUnit& u) { return !stay.contains(u.backup); });

  all = there;
  std::vector<TierPoint> missing;
  for (const TierPoint& p : points) {
    if (names.contains(p.name)) continue;
    missing.push_back(p);
    all.push_back(p);
  }
  std::sort(missing.begin(), missing.end(), [](const TierPoint& a, const TierPoint& b) { return std::pair(a.started_ms, a.name) < std::pair(b.started_ms, b.name); });
  const std::set<std::string> would_stay = kept(judge(all, order.copy.retention, zone, now_ms).points);
  const auto newest = std::max_element(all.begin(), all.end(), [](const TierPoint& a, const TierPoint& b) { return std::pair(a.started_ms, a.name) < std::pair(b.started_ms, b.name); });
  for (const TierPoint& p : missing) {
    const bool asked_for = order.copy.mode == TierCopy::Mode::kAll || p.name == newest->name;
    if (asked_for && would_stay.contains(p.name)) plan.copy.push_back(p);
    else plan.unwanted.insert(p.name);
  }
  return plan;
}

}  // namespace holdfast
