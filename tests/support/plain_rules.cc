#include "tests/support/plain_rules.h"

#include <algorithm>

#include "storage/base/times.h"

namespace holdfast::test {

std::string PlainRule::document() const {
  return "{keepFor: " + std::to_string(keep_for_ms / 86'400'000) + "d, last: " + std::to_string(last) + ", daily: " + std::to_string(daily) + ", monthly: " + std::to_string(monthly) + "}";
}

std::set<std::string> should_stay(const PlainRule& rule, std::vector<TierPoint> points, int64_t now_ms) {
  std::set<std::string> stay;
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return std::pair(a.started_ms, a.name) > std::pair(b.started_ms, b.name); });
  for (const TierPoint& p : points) {
    if (!p.ended || p.locked_until_ms > now_ms || now_ms - p.started_ms < rule.keep_for_ms) stay.insert(p.name);
  }
  std::erase_if(points, [](const TierPoint& p) { return !p.ended; });
  for (size_t i = 0; i < points.size() && i < rule.last; ++i) stay.insert(points[i].name);
  for (const TierPoint& p : points) {
    if (!p.good) continue;
    stay.insert(p.name);
    break;
  }
  // 10 characters of a date are a day, 7 a month.
  for (const auto& [count, length] : {std::pair<unsigned, size_t>{rule.daily, 10}, {rule.monthly, 7}}) {
    std::vector<std::string> periods;
    for (const TierPoint& p : points) {
      const std::string period = rfc3339(p.started_ms).substr(0, length);
      if (periods.empty() || periods.back() != period) periods.push_back(period);
    }
    for (size_t i = 0; i < periods.size() && i < count; ++i) {
      const TierPoint* best = nullptr;
      for (const TierPoint& p : points) {
        if (rfc3339(p.started_ms).substr(0, length) == periods[i] && (best == nullptr || (p.good && !best->good))) best = &p;
      }
      stay.insert(best->name);
    }
  }
  return stay;
}

}  // namespace holdfast::test
