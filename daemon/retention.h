// Which restore points of a tier stay, here or at another site.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policies.h"
#include "k8s/time_zone.h"

namespace holdfast {

// A restore point stays while one of these asks for it. `hourly` and its like: the newest of each of so many of the latest
// hours (days, ISO weeks, months, years) of the tier's time zone in which there are any.
struct RetentionRule {
  bool forever = false;
  int64_t keep_for_ms = 0;
  unsigned last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  unsigned verified = 0;  // the last that verified
};

struct TierPoint {
  std::string name;
  int64_t started_ms = 0;
  bool ended = true;
  bool good = true;  // everything is in it
  bool verified = false;
  int64_t locked_until_ms = 0;  // nobody can remove it before
};

struct TierVerdicts {
  std::vector<RetentionVerdict> points;  // newest first
  int64_t next_ms = 0;  // when one of them will have grown too old; 0: none will
};

// Until when a point that began then is locked: no longer than `lock_ms` from now, whatever the clocks were. To the second, as dates are.
int64_t lock_end_ms(int64_t lock_ms, int64_t started_ms, int64_t now_ms);

// A verdict for each. Always stay: those that have not ended, that are locked, and the latest good one. Where a rule asks for one of
// an hour (a day, ...) it is the newest good one of it, else the newest.
TierVerdicts judge(std::vector<TierPoint> points, const RetentionRule& rule, const std::optional<k8s::TimeZone>& zone, int64_t now_ms);

}  // namespace holdfast
