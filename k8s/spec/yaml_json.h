// YAML as Kubernetes' tools read it: as another way to write JSON.
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// kInvalidArgument: not YAML, several documents, a key twice in one map, deeper than 100 levels, too large with its aliases. Plain scalars become numbers,
// booleans and null as in YAML 1.2; quoted ones are texts.
Result<json::value> json_of_yaml(const std::string& text);

}  // namespace holdfast::k8s
