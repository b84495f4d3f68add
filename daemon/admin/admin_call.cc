#include "daemon/admin/admin_call.h"

#include <boost/json.hpp>

#include "storage/base/times.h"

namespace holdfast {

namespace json = boost::json;

HttpResponse json_response(const json::value& value, unsigned status) {
  HttpResponse r;
  r.status = status;
  r.headers.add("Content-Type", "application/json");
  r.body = json::serialize(value) + "\n";
  return r;
}

Result<void> only_keys(const json::object& body, const std::set<std::string>& known) {
  for (const auto& item : body) {
    const std::string name(item.key());
    if (!known.contains(name)) return error(Code::kInvalidArgument, "unknown field \"" + name + "\"");
  }
  return {};
}

std::string time_text(int64_t unix_ms) { return unix_ms == 0 ? std::string() : rfc3339(unix_ms); }

Result<std::string> text_field(const json::object& body, const char* name) {
  const json::value* v = body.if_contains(name);
  if (v == nullptr) return std::string();
  if (!v->is_string()) return error(Code::kInvalidArgument, "field \"" + std::string(name) + "\" must be a string");
  return std::string(v->as_string());
}

Result<std::vector<std::string>> texts_field(const json::object& body, const char* name) {
  std::vector<std::string> out;
  const json::value* v = body.if_contains(name);
  if (v == nullptr) return out;
  const json::array* list = v->if_array();
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    if ((*list)[i].is_string()) out.emplace_back((*list)[i].get_string());
    else list = nullptr;
  }
  if (list == nullptr) return error(Code::kInvalidArgument, "\"" + std::string(name) + "\" is not a list of texts");
  return out;
}

Result<bool> flag_field(const json::object& body, const char* name, bool otherwise) {
  const json::value* v = body.if_contains(name);
  if (v == nullptr) return otherwise;
  if (!v->is_bool()) return error(Code::kInvalidArgument, "field \"" + std::string(name) + "\" must be true or false");
  return v->as_bool();
}

}  // namespace holdfast
