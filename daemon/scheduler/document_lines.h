// Where in a YAML text a field stands, for errors.
#pragma once

#include <string>

namespace holdfast {

// The line, from 1, of "tiers[0].schedule", or of the nearest map or list around it that is there; 0: not known.
int line_of(const std::string& yaml, const std::string& path);

}  // namespace holdfast
