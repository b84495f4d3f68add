#include "daemon/duration.h"

#include <array>
#include <charconv>

namespace holdfast {

namespace {

struct Unit {
  char sign;
  int64_t ms;
};
constexpr std::array<Unit, 6> kUnits{{{'y', 365LL * 86'400'000}, {'w', 7LL * 86'400'000}, {'d', 86'400'000}, {'h', 3'600'000}, {'m', 60'000}, {'s', 1'000}}};
constexpr int64_t kMostMs = 1000LL * 365 * 86'400'000;

}  // namespace

std::optional<int64_t> parse_length_ms(std::string_view text) {
  int64_t total = 0;
  while (!text.empty()) {
    int64_t count = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (ec != std::errc() || count < 0 || end == text.data() + text.size()) return std::nullopt;
    int64_t unit_ms = 0;
    for (const Unit& unit : kUnits) {
      if (unit.sign == *end) unit_ms = unit.ms;
    }
    if (unit_ms == 0 || count > (kMostMs - total) / unit_ms) return std::nullopt;
    total += count * unit_ms;
    text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  return total > 0 ? std::optional(total) : std::nullopt;
}

std::string length_text(int64_t ms) {
  if (ms < 1'000) return "0s";
  std::string out;
  for (const Unit& unit : kUnits) {
    if (unit.sign == 'w' || ms < unit.ms) continue;
    out += std::to_string(ms / unit.ms) + unit.sign;
    ms %= unit.ms;
  }
  return out;
}

}  // namespace holdfast
