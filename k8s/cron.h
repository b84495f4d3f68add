// When a schedule is due: the cron expressions of Velero's schedules (robfig/cron's standard parser), in UTC.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace holdfast::k8s {

// Five fields (minute, hour, day of month, month, day of week: numbers, names, "*" or "?", ranges, steps, lists), or
// "@hourly" and its like, or "@every 6h30m".
class Cron {
 public:
  // kInvalidArgument says which part is wrong. "TZ=" and "CRON_TZ=" are refused: only UTC is known.
  static Result<Cron> parse(std::string_view text);

  // The first time after `unix_ms`, to the second, in Unix ms; none: never within five years.
  std::optional<int64_t> next(int64_t unix_ms) const;

 private:
  Result<void> parse_fields(std::string_view text);

  int64_t every_s_ = 0;  // "@every"; 0: the fields
  std::array<uint64_t, 5> allowed_{};  // a bit a value
  bool any_day_of_month_ = false, any_day_of_week_ = false;  // "*": only the other of the two counts
};

}  // namespace holdfast::k8s
