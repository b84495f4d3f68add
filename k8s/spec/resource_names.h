// Names of resources as people write them, resolved by what an API server offers.
#pragma once

#include "k8s/client/discovery.h"
#include "k8s/spec/name_lists.h"

namespace holdfast::k8s {

enum class Scope { kAny, kCluster, kNamespaced };

// "deploy" becomes "deployments.apps". What the server does not know stays as it is: a pattern, or a kind that it lacks;
// so a list never becomes empty, which would mean everything. Kinds of another scope are dropped.
std::vector<std::string> resolved(const std::vector<std::string>& names, const Discovery& discovery, Scope scope = Scope::kAny);
NameLists resolved(const NameLists& lists, const Discovery& discovery, Scope scope = Scope::kAny);

}  // namespace holdfast::k8s
