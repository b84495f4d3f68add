// The name of one object of a cluster.
#pragma once

#include <compare>
#include <string>

namespace holdfast::k8s {

// Cluster-scoped: no namespace.
struct ItemRef {
  std::string group_resource;  // "persistentvolumeclaims", "deployments.apps"
  std::string name_space;
  std::string name;

  auto operator<=>(const ItemRef&) const = default;
  // "shop/web", or "web" without namespace.
  std::string path() const { return name_space.empty() ? name : name_space + "/" + name; }
};

}  // namespace holdfast::k8s
