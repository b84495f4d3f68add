#include "k8s/spec/go_duration.h"

#include <charconv>
#include <cmath>

namespace holdfast::k8s {

namespace {

// Milliseconds of a unit, which is taken off the text's front.
double take_unit(std::string_view& text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1e-6}, {"us", 1e-3}, {"µs", 1e-3}, {"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}};
  for (const auto& [name, ms] : kUnits) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return ms;
  }
  return 0;
}

}  // namespace

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
    if (read.ec != std::errc() || read.ptr != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    const double unit = take_unit(text);
    if (unit == 0) return std::nullopt;
    total += number * unit;
    if (!(total < 9.2e12)) return std::nullopt;  // 292 years, Go's limit
  }
  const auto ms = static_cast<int64_t>(std::llround(total));
  return negative ? -ms : ms;
}

std::string duration_text(int64_t ms) {
  std::string out = ms < 0 ? "-" : "";
  const uint64_t all = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  const uint64_t hours = all / 3'600'000, minutes = all / 60'000 % 60, seconds = all / 1000 % 60, rest = all % 1000;
  if (hours > 0) out += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) out += std::to_string(minutes) + "m";
  out += std::to_string(seconds);
  if (rest > 0) {
    std::string fraction = std::to_string(1000 + rest).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    out += "." + fraction;
  }
  return out + "s";
}

}  // namespace holdfast::k8s
