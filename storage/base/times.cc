#include "storage/base/times.h"

#include <cstdio>
#include <ctime>

namespace holdfast {

namespace {

std::string format(int64_t unix_ms, const char* pattern) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, pattern, &tm));
}

// Parses the whole of `text`, and gives what follows the pattern.
std::optional<int64_t> parse(std::string_view text, const char* pattern, std::string* rest) {
  const std::string copy(text);
  std::tm tm{};
  const char* end = ::strptime(copy.c_str(), pattern, &tm);
  if (end == nullptr || (rest == nullptr && *end != '\0')) return std::nullopt;
  if (rest != nullptr) *rest = end;
  return static_cast<int64_t>(::timegm(&tm)) * 1000;
}

}  // namespace

std::string iso8601(int64_t unix_ms) {
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(unix_ms % 1000));
  return format(unix_ms, "%Y-%m-%dT%H:%M:%S") + fraction;
}
std::string rfc3339(int64_t unix_ms) { return format(unix_ms, "%Y-%m-%dT%H:%M:%SZ"); }
std::string http_date(int64_t unix_ms) { return format(unix_ms, "%a, %d %b %Y %H:%M:%S GMT"); }
std::string compact_date(int64_t unix_ms) { return format(unix_ms, "%Y%m%dT%H%M%SZ"); }
std::string date_digits(int64_t unix_ms) { return format(unix_ms, "%Y%m%d%H%M%S"); }

std::optional<int64_t> parse_http_date(std::string_view text) {
  if (text.empty()) return std::nullopt;  // as of most requests: strptime would compare it to every day's name
  for (const char* pattern : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y",
                              "%a, %d %b %Y %H:%M:%S +0000"}) {
    if (const auto ms = parse(text, pattern, nullptr)) return ms;
  }
  return std::nullopt;
}

std::optional<int64_t> parse_compact_date(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  return parse(text, "%Y%m%dT%H%M%SZ", nullptr);
}

std::optional<int64_t> parse_iso8601(std::string_view text) {
  std::string rest;
  auto ms = parse(text, "%Y-%m-%dT%H:%M:%S", &rest);
  if (!ms) return std::nullopt;
  size_t at = 0;
  if (at < rest.size() && rest[at] == '.') {
    int64_t scale = 100;
    for (++at; at < rest.size() && rest[at] >= '0' && rest[at] <= '9'; ++at, scale /= 10) *ms += (rest[at] - '0') * scale;
  }
  const std::string zone = rest.substr(at);
  if (zone == "Z") return ms;
  int hours = 0, minutes = 0;
  char sign = 0;
  if (zone.size() == 6 && std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-')) {
    const int64_t offset = (hours * 60 + minutes) * 60'000LL;
    return sign == '+' ? *ms - offset : *ms + offset;
  }
  return std::nullopt;
}

}  // namespace holdfast
