// Durations as Go and Kubernetes write them: "720h0m0s", "10m", "1h30m", "250ms".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::k8s {

// Milliseconds; nothing when it is no duration. Negative ones are accepted, as in Go.
std::optional<int64_t> parse_duration_ms(std::string_view text);
// "720h0m0s"; fractions of a second as "1.5s".
std::string duration_text(int64_t ms);

}  // namespace holdfast::k8s
