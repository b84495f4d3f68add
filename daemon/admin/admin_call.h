// One request to the admin API, and its usual answer.
#pragma once

#include <boost/json/object.hpp>
#include <string>
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

// A text of the body; empty when absent. kInvalidArgument when it is something else.
Result<std::string> body_text(const boost::json::object& body, const char* key);

}  // namespace holdfast
