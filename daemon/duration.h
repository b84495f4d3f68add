// Lengths of time as people write them in policies: "30m", "1h30m", "7d", "2w", "1y" (365 days).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

// Milliseconds, more than 0 and up to a thousand years; nothing when it is none.
std::optional<int64_t> parse_length_ms(std::string_view text);
// "7d", "1h30m"
std::string length_text(int64_t ms);

}  // namespace holdfast
