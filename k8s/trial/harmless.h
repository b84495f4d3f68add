// What makes the objects of a trial stay among themselves.
#pragma once

#include <string>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Objects of it are for a controller that acts outside of their namespace, or may: they are not written in a trial.
bool acts_outside(const std::string& group_resource, bool custom_resources);

// Changes an object before it is written, or compared with one that was.
void make_harmless(const std::string& group_resource, json::object& object, bool isolated);

// The network policy of a namespace of the trial `id`.
json::object isolation(const std::string& id);

}  // namespace holdfast::k8s
