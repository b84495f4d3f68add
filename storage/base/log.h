// The process's log: structured lines on standard error. Never pass a secret.
#pragma once

#include <spdlog/spdlog.h>

namespace holdfast {

// Sets the format once, at the start of a program. `level` is spdlog's name: debug, info, warn, error.
void start_log(const std::string& level);

}  // namespace holdfast
