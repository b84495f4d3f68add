// One request to the admin API, and its usual answer.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "storage/base/status.h"
#include "storage/net/http_types.h"

namespace holdfast {

struct AdminCall {
  std::string method;
  std::vector<std::string> path;  // its parts, without "v1"'s slash: {"v1", "clusters", "prod"}
  boost::json::object body;

  bool is(std::string_view verb, size_t parts) const { return method == verb && path.size() == parts; }
};

HttpResponse json_response(const boost::json::value& value, unsigned status = 200);

// kInvalidArgument for a field that is not among these.
Result<void> only_keys(const boost::json::object& body, const std::set<std::string>& known);
inline boost::json::array texts(const std::vector<std::string>& list) { return boost::json::array(list.begin(), list.end()); }
// Each of them as an object.
template <typename T>
boost::json::array list_json(const std::vector<T>& all, boost::json::object (*to_json)(const std::type_identity_t<T>&)) {
  boost::json::array out;
  for (const T& one : all) out.push_back(to_json(one));
  return out;
}
// RFC 3339; empty where there is no such time (0).
std::string time_text(int64_t unix_ms);
// A text of the body; empty when absent. kInvalidArgument when it is something else.
Result<std::string> text_field(const boost::json::object& body, const char* name);
// A list of texts of the body; empty when absent. kInvalidArgument when it is something else.
Result<std::vector<std::string>> texts_field(const boost::json::object& body, const char* name);
// A boolean of the body; `otherwise` when absent.
Result<bool> flag_field(const boost::json::object& body, const char* name, bool otherwise);

}  // namespace holdfast
