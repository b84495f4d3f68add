// Reading JSON from outside without surprises: what is absent or of another type reads as empty.
#pragma once

#include <boost/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace holdfast::k8s {

namespace json = boost::json;

std::string_view view_at(const json::object& o, std::string_view key);
inline std::string text_at(const json::object& o, std::string_view key) { return std::string(view_at(o, key)); }
const json::object& object_at(const json::object& o, std::string_view key);
const json::array& array_at(const json::object& o, std::string_view key);
std::vector<std::string> texts_at(const json::object& o, std::string_view key);
// For changing: nullptr when absent or of another type.
json::object* object_in(json::object& o, std::string_view key);
json::array* array_in(json::object& o, std::string_view key);
// A count; 0 when absent, negative or no integer.
uint64_t count_at(const json::object& o, std::string_view key);
// nullptr when absent or no boolean.
const bool* flag_at(const json::object& o, std::string_view key);
inline bool is_true(const json::object& o, std::string_view key) {
  const bool* flag = flag_at(o, key);
  return flag != nullptr && *flag;
}

// kInvalidArgument: a member that is not among them. `where`: what leads to it, "spec.".
Result<void> only_members(const json::object& o, const std::string& where, const std::set<std::string_view>& known);

// kInvalidArgument: not a JSON object, or nested deeper than 200.
Result<json::object> parse_object(std::string_view text, json::storage_ptr memory = {});
// An empty object where it is none.
json::object object_or_empty(std::string_view text);

}  // namespace holdfast::k8s
