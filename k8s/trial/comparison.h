// Is everything of one JSON value in another one?
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// The path of the first thing of `wanted` that `live` has not, or has otherwise; empty: there is none. What `live` has
// beyond that does not count: servers fill in and add. The entries of a list may be in another order. An empty object, list
// or text is as good as none, since servers leave those out.
std::string first_difference(const json::value& wanted, const json::value& live);

// The same for a live object and one of a backup, as it was to be written; without what controllers write into both.
std::string object_difference(json::object wanted, const json::object& live);

}  // namespace holdfast::k8s
