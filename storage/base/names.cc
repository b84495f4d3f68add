#include "storage/base/names.h"

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

Result<void> check_bucket_name(const std::string& name) {
  if (valid_bucket_name(name)) return {};
  return error(Code::kInvalidArgument, "\"" + name + "\" is no name of a bucket: 3 to 63 lower case letters, digits, '-' and '.'");
}

namespace {

bool is_name(std::string_view name, size_t max_bytes, std::string_view inner) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= max_bytes && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || inner.find(c) != std::string_view::npos; });
}

}  // namespace

bool is_dns_label(std::string_view name) { return is_name(name, 63, "-"); }
bool is_dns_subdomain(std::string_view name) { return is_name(name, 253, "-."); }

}  // namespace holdfast
