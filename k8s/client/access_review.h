// May we? The API server itself is asked:
// https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
#pragma once

#include "k8s/client/api_client.h"

namespace holdfast::k8s {

struct Permission {
  std::string verb, group, resource, subresource;
  std::string name_space;  // empty: everywhere
  // "get pods/exec", "create deployments.apps".
  std::string text() const;
};

Result<bool> access_allowed(ApiClient& client, const Permission& permission);

}  // namespace holdfast::k8s
