// Reading secrets from files that nobody else may read.
#pragma once

#include <string>

#include "storage/base/status.h"

namespace holdfast {

// The first line of a file with mode 0600 or narrower; empty when `path` is empty.
Result<std::string> read_secret_file(const std::string& path);

// Writes a new file with mode 0600.
Result<void> write_secret_file(const std::string& path, const std::string& text);

}  // namespace holdfast
