// The date formats of HTTP, S3 and Kubernetes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

std::string iso8601(int64_t unix_ms);      // 2026-01-02T03:04:05.678Z
std::string rfc3339(int64_t unix_ms);      // 2026-01-02T03:04:05Z
std::string http_date(int64_t unix_ms);    // Fri, 02 Jan 2026 03:04:05 GMT
std::string compact_date(int64_t unix_ms); // 20260102T030405Z
std::string date_digits(int64_t unix_ms);  // 20260102030405

// RFC 1123, RFC 850 and asctime.
std::optional<int64_t> parse_http_date(std::string_view text);
// With or without fractions, "Z" or an offset.
std::optional<int64_t> parse_iso8601(std::string_view text);
// 20260102T030405Z
std::optional<int64_t> parse_compact_date(std::string_view text);

}  // namespace holdfast
