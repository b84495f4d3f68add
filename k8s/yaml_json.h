// YAML as Kubernetes' tools read it: as another way to write JSON.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "storage/base/status.h"

namespace holdfast::k8s {

namespace json = boost::json;

// kInvalidArgument: not YAML, several documents, a key twice in one map, deeper than 100 levels, too large with its aliases. Plain scalars become numbers,
// booleans and null as in YAML 1.2; quoted ones are texts.
Result<json::value> json_of_yaml(const std::string& text);

// The map that stands, as YAML, under the one key of a ConfigMap. `what` stands before what is wrong with the ConfigMap itself.
Result<json::object> map_in(const json::object& config_map, const std::string& what = {});

}  // namespace holdfast::k8s
