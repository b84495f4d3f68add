// The process's log: structured lines on standard error. Never pass a secret.
#pragma once

#include <spdlog/spdlog.h>

namespace holdfast {

// Sets the format; the last call holds. `level` is spdlog's name: debug, info, warn, error.
void start_log(const std::string& level);

}  // namespace holdfast
