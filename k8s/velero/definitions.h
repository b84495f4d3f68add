// The definitions (CRDs) of velero.io: names, scope and printer columns of Velero's own, unknown fields kept, and no status
// subresource, since Velero's clients write the status with the object (Velero: config/crd).
#pragma once

#include <vector>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Of the eleven kinds of v1 and the two of v2alpha1, as objects to create.
std::vector<json::object> velero_definitions();

}  // namespace holdfast::k8s
