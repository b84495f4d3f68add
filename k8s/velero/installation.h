// What the server needs in the cluster: definitions, a namespace, and the location that points at this appliance.
#pragma once

#include "k8s/velero_server.h"
#include "k8s/client/api_client.h"

namespace holdfast::k8s {

// The location that points at this appliance.
inline constexpr const char* kLocationName = "default";

// What is missing is made; what is there is left as it is, but for the location and its credential that an earlier call
// made. A location that people have taken away is not made again. kPermissionDenied names what may not be made.
Result<void> install_definitions(ApiClient& client, const std::string& name_space);
Result<void> install_location(ApiClient& client, const std::string& name_space, const OwnLocation& location);

}  // namespace holdfast::k8s
