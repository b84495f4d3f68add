// JSON patches (RFC 6902).
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

struct JsonPatchStep {
  std::string op;  // add, remove, replace, move, copy, test
  std::string from, path;
  json::value value;
};

// All steps or none. kFailedPrecondition: a "test" does not hold; kNotFound: a place that a "test" looks at is not there;
// kInvalidArgument: a step cannot be done, with the reason.
Result<void> apply_json_patch(json::object& document, const std::vector<JsonPatchStep>& steps);

}  // namespace holdfast::k8s
