// What an API server's refusals mean.
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// The error of an answer that is not 2xx, in the words of its Status object; see api_client.h for the codes.
Status api_error(const std::string& what, unsigned http_status, const json::object& status);

}  // namespace holdfast::k8s
