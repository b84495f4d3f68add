// Small things done to text everywhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

// ASCII letters in lower case.
std::string lower(std::string_view text);
// The parts between separators, empty ones too; at least one.
std::vector<std::string_view> split_text(std::string_view text, char separator);
bool contains(const std::vector<std::string>& list, std::string_view text);

}  // namespace holdfast
