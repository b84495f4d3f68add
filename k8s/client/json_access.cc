#include "k8s/client/json_access.h"

namespace holdfast::k8s {

namespace {
const json::object kNothing;
const json::array kNone;
}  // namespace

std::string_view view_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view();
}

const json::object& object_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_object() ? v->get_object() : kNothing;
}

const json::array& array_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_array() ? v->get_array() : kNone;
}

std::vector<std::string> texts_at(const json::object& o, std::string_view key) {
  std::vector<std::string> out;
  for (const json::value& v : array_at(o, key)) {
    if (v.is_string()) out.emplace_back(v.get_string());
  }
  return out;
}

json::object* object_in(json::object& o, std::string_view key) {
  json::value* v = o.if_contains(key);
  return v != nullptr ? v->if_object() : nullptr;
}

json::array* array_in(json::object& o, std::string_view key) {
  json::value* v = o.if_contains(key);
  return v != nullptr ? v->if_array() : nullptr;
}

uint64_t count_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  if (v == nullptr) return 0;
  if (v->is_int64()) return v->get_int64() < 0 ? 0 : static_cast<uint64_t>(v->get_int64());
  return v->is_uint64() ? v->get_uint64() : 0;
}

const bool* flag_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr ? v->if_bool() : nullptr;
}

Result<void> only_members(const json::object& o, const std::string& where, const std::set<std::string_view>& known) {
  for (const auto& [key, value] : o) {
    if (!known.contains(std::string_view(key))) return error(Code::kInvalidArgument, "unknown field \"" + where + std::string(key) + "\"");
  }
  return {};
}

Result<json::object> parse_object(std::string_view text, json::storage_ptr memory) {
  json::parse_options options;
  options.max_depth = 200;
  boost::system::error_code ec;
  json::value v = json::parse(text, ec, std::move(memory), options);
  if (ec) return error(Code::kInvalidArgument, "not JSON: " + ec.message());
  if (!v.is_object()) return error(Code::kInvalidArgument, "not a JSON object");
  return std::move(v.get_object());
}

json::object object_or_empty(std::string_view text) {
  auto o = parse_object(text);
  return o ? std::move(*o) : json::object();
}

}  // namespace holdfast::k8s
