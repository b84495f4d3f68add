// Identifiers of objects that no API server named.
#pragma once

#include <string>

#include "storage/base/random.h"

namespace holdfast::k8s {

// Version 4 (RFC 9562).
std::string new_uuid(Random& random);

}  // namespace holdfast::k8s
