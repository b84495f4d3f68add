#include "daemon/retention.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "daemon/duration.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

using LocalMinutes = std::chrono::minutes;

int64_t hour_of(LocalMinutes local) { return std::chrono::floor<std::chrono::hours>(local).count(); }
int64_t day_of(LocalMinutes local) { return std::chrono::floor<std::chrono::days>(local).count(); }
// ISO weeks begin on Mondays; 1970-01-01 was a Thursday.
int64_t week_of(LocalMinutes local) { return (day_of(local) + 3 + 7'000'000) / 7; }
std::chrono::year_month_day date_of(LocalMinutes local) { return std::chrono::sys_days(std::chrono::floor<std::chrono::days>(local)); }
int64_t month_of(LocalMinutes local) {
  const auto date = date_of(local);
  return static_cast<int>(date.year()) * 12 + static_cast<int64_t>(static_cast<unsigned>(date.month()));
}
int64_t year_of(LocalMinutes local) { return static_cast<int>(date_of(local).year()); }

struct Period {
  const char* word;
  unsigned RetentionRule::*count;
  int64_t (*of)(LocalMinutes);
};
constexpr std::array<Period, 5> kPeriods{{{"hour", &RetentionRule::hourly, hour_of},
                                          {"day", &RetentionRule::daily, day_of},
                                          {"week", &RetentionRule::weekly, week_of},
                                          {"month", &RetentionRule::monthly, month_of},
                                          {"year", &RetentionRule::yearly, year_of}}};

LocalMinutes local_of(const std::optional<k8s::TimeZone>& zone, int64_t unix_ms) {
  const std::chrono::sys_seconds when(std::chrono::seconds(unix_ms / 1000));
  return zone ? zone->local(when) : std::chrono::floor<LocalMinutes>(when.time_since_epoch());
}

void keep(RetentionVerdict& verdict, const std::string& why) {
  verdict.why += (verdict.keep ? ", " : "") + why;
  verdict.keep = true;
}

// The points are newest first.
void keep_of_periods(const Period& period, unsigned count, const std::vector<TierPoint>& points, const std::optional<k8s::TimeZone>& zone, std::vector<RetentionVerdict>& verdicts) {
  std::map<int64_t, size_t, std::greater<>> chosen;  // by period: which point
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].ended) continue;
    const int64_t key = period.of(local_of(zone, points[i].started_ms));
    const auto [at, fresh] = chosen.emplace(key, i);
    if (!fresh && points[i].good && !points[at->second].good) at->second = i;
  }
  for (const auto& [key, i] : chosen) {
    if (count-- == 0) return;
    keep(verdicts[i], std::string("the newest of its ") + period.word);
  }
}

}  // namespace

int64_t lock_end_ms(int64_t lock_ms, int64_t started_ms, int64_t now_ms) { return (std::min(started_ms, now_ms) + lock_ms) / 1000 * 1000; }

TierVerdicts judge(std::vector<TierPoint> points, const RetentionRule& rule, const std::optional<k8s::TimeZone>& zone, int64_t now_ms) {
  std::sort(points.begin(), points.end(), [](const TierPoint& a, const TierPoint& b) { return std::pair(a.started_ms, a.name) > std::pair(b.started_ms, b.name); });
  TierVerdicts judged;
  std::vector<RetentionVerdict>& verdicts = judged.points;
  for (const TierPoint& p : points) verdicts.push_back({"", p.name, p.started_ms, false, ""});
  bool good_seen = false;
  unsigned ended = 0, verified = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    RetentionVerdict& v = verdicts[i];
    if (rule.forever) keep(v, "everything is kept");
    if (!points[i].ended) {
      keep(v, "it has not ended");
      continue;
    }
    if (points[i].good && !good_seen) keep(v, "the latest good one");
    good_seen = good_seen || points[i].good;
    if (ended++ < rule.last) keep(v, "one of the last " + std::to_string(rule.last));
    if (points[i].verified && verified++ < rule.verified) keep(v, "one of the last " + std::to_string(rule.verified) + " that verified");
    if (points[i].locked_until_ms > now_ms) {
      keep(v, "locked until " + rfc3339(points[i].locked_until_ms));
      if (judged.next_ms == 0 || points[i].locked_until_ms < judged.next_ms) judged.next_ms = points[i].locked_until_ms;
    }
    const int64_t old_ms = points[i].started_ms + rule.keep_for_ms;
    if (rule.keep_for_ms == 0 || old_ms <= now_ms) continue;
    keep(v, "younger than " + length_text(rule.keep_for_ms));
    if (judged.next_ms == 0 || old_ms < judged.next_ms) judged.next_ms = old_ms;
  }
  for (const Period& period : kPeriods) keep_of_periods(period, rule.*period.count, points, zone, verdicts);
  for (RetentionVerdict& v : verdicts) {
    if (!v.keep) v.why = "no rule keeps it";
  }
  return judged;
}

}  // namespace holdfast
