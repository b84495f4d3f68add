// When a schedule is due: the cron expressions of Velero's schedules (robfig/cron's standard parser).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "k8s/time_zone.h"
#include "storage/base/status.h"

namespace holdfast::k8s {

// Five fields (minute, hour, day of month, month, day of week: numbers, names, "*" or "?", ranges, steps, lists), or
// "@hourly" and its like, or "@every 6h30m"; in UTC, or with "TZ=Europe/Paris " or "CRON_TZ=..." before them in a zone. When its
// clocks are put forward, what was due in the hour that is left out is due at once; when they are put back, what is due in
// the hour that comes twice is due the first time. With "*" for the hour each hour counts that passes.
class Cron {
 public:
  // kInvalidArgument says which part is wrong.
  static Result<Cron> parse(std::string_view text);

  // The first time after `unix_ms`, to the second, in Unix ms; none: never within five years.
  std::optional<int64_t> next(int64_t unix_ms) const;
  // The last time after `after_ms` that is not after `until_ms`; none: there is none. "@every" counts from `after_ms`.
  std::optional<int64_t> last(int64_t after_ms, int64_t until_ms) const;

 private:
  Result<void> parse_fields(std::string_view text);
  bool allows(size_t field, unsigned value) const { return (allowed_[field] >> value & 1) != 0; }
  bool allows_day(std::chrono::sys_days day) const;
  std::optional<std::chrono::sys_seconds> first_of_day(std::chrono::sys_days local_day, std::chrono::sys_seconds from) const;

  std::optional<TimeZone> zone_;  // none: UTC
  int64_t every_s_ = 0;  // "@every"; 0: the fields
  std::array<uint64_t, 5> allowed_{};  // a bit a value
  bool any_hour_ = false, any_day_of_month_ = false, any_day_of_week_ = false;  // "*": only the other of the two counts
};

}  // namespace holdfast::k8s
