// Pods that a restore has made, as they are now.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "k8s/client/api_client.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// By "namespace/name".
using RestoredPods = std::map<std::string, std::shared_ptr<const json::object>>;

// Those of `names` that there are. `label_selector`: all of them match it, and few others.
Result<RestoredPods> look_up_pods(ApiClient& client, const std::string& label_selector, const std::set<std::string>& names);

}  // namespace holdfast::k8s
