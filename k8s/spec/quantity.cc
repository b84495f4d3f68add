#include "k8s/spec/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace holdfast::k8s {

namespace {

struct Suffix {
  std::string_view text;
  int base, exponent;
};

constexpr std::array<Suffix, 16> kSuffixes{{{"", 10, 0}, {"n", 10, -9}, {"u", 10, -6}, {"m", 10, -3}, {"k", 10, 3}, {"M", 10, 6}, {"G", 10, 9}, {"T", 10, 12},
                                            {"P", 10, 15}, {"E", 10, 18}, {"Ki", 2, 10}, {"Mi", 2, 20}, {"Gi", 2, 30}, {"Ti", 2, 40}, {"Pi", 2, 50}, {"Ei", 2, 60}}};

// "e3", "E-2".
std::optional<int> exponent_of(std::string_view text) {
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  text.remove_prefix(text[1] == '+' ? 2 : 1);
  int exponent = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size() || exponent < -18 || exponent > 30) return std::nullopt;
  return exponent;
}

// Divides rather than multiplying by a fraction, which has no exact form.
long double scaled(long double number, int base, int exponent) {
  const long double factor = std::pow(static_cast<long double>(base), std::abs(exponent));
  return exponent < 0 ? number / factor : number * factor;
}

}  // namespace

std::optional<long double> parse_quantity(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  long double number = 0, place = 1;
  size_t at = 0, digits = 0;
  for (bool fraction = false; at < text.size() && digits < 64; ++at) {
    const char c = text[at];
    if (c == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    ++digits;
    number = number * 10 + (c - '0');
    if (fraction) place *= 10;
  }
  if (digits == 0) return std::nullopt;
  number = (negative ? -number : number) / place;
  const std::string_view rest = text.substr(at);
  for (const Suffix& s : kSuffixes) {
    if (rest == s.text) return scaled(number, s.base, s.exponent);
  }
  const auto exponent = exponent_of(rest);
  if (!exponent) return std::nullopt;
  return scaled(number, 10, *exponent);
}

}  // namespace holdfast::k8s
