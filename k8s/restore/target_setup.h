// What must be in a cluster before objects can go there: namespaces, and definitions that are served.
#pragma once

#include <chrono>
#include <map>

#include "k8s/client/api_client.h"
#include "k8s/client/discovery.h"
#include "k8s/restore/restore_source.h"

namespace holdfast::k8s {

struct NamespaceState {
  bool created = false;
  std::string problem;  // why nothing can be written there; empty: it is ready
};

// A namespace of the backup under another name, with its labels and annotations; bare where the backup has no such object.
json::object namespace_object(const RestoreSource& source, const std::string& name, const std::string& target);

// A namespace of the backup under its target's name: made with its labels and annotations, waited for while one of that
// name is terminating, taken as it is when it is there.
NamespaceState ensure_namespace(ApiClient& client, const RestoreSource& source, const RestoreSpec& spec, const std::string& name,
                                std::chrono::milliseconds timeout);

// Waits until the API server has established the definition. kFailedPrecondition: it never will, or not in time.
Result<void> await_definition(ApiClient& client, const std::string& name, std::chrono::milliseconds timeout);

// Discovery that knows these kinds; after 30 seconds, what it knows then.
Result<Discovery> discover_with(ApiClient& client, const std::vector<std::string>& group_resources);

}  // namespace holdfast::k8s
