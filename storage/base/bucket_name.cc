#include "storage/base/bucket_name.h"

#include <algorithm>

namespace holdfast {

bool valid_bucket_name(std::string_view name) {
  if (name.size() < 3 || name.size() > 63) return false;
  bool digits_and_dots = true;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
    if (!letter && !digit && c != '-' && c != '.') return false;
    if ((i == 0 || i + 1 == name.size()) && !letter && !digit) return false;
    if (c == '.' && i + 1 < name.size() && name[i + 1] == '.') return false;
    digits_and_dots = digits_and_dots && (digit || c == '.');
  }
  const bool address = digits_and_dots && std::count(name.begin(), name.end(), '.') == 3;
  return !address;
}

}  // namespace holdfast
