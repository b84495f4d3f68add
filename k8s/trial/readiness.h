// Has a controller brought an object about?
#pragma once

#include <optional>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Kinds that can be waited for: pods, deployments, stateful sets, daemon sets, replica sets, claims.
bool has_readiness(const std::string& group_resource);

// Why it is not ready, "1 of 3 pods are ready"; nullopt: it is, or there is nothing to wait for.
std::optional<std::string> why_not_ready(const std::string& group_resource, const json::object& object);

// It has a controller, which makes another one when it is gone.
bool is_made_by_controller(const json::object& object);

// What the containers of a pod wait for or fail of, "container web: ImagePullBackOff"; empty: nothing.
std::string container_problem(const json::object& pod);

}  // namespace holdfast::k8s
