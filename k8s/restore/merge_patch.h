// JSON merge patches (RFC 7396).
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// The patch that makes `to` of `from`; empty where they are equal. Arrays are replaced whole.
json::object merge_patch(const json::object& from, const json::object& to);
// What the patch makes of a document.
void apply_merge_patch(json::value& document, const json::value& patch);

}  // namespace holdfast::k8s
