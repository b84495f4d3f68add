// A kind of object as an API server offers it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::k8s {

struct ApiResource {
  std::string group;    // empty: the core group
  std::string version;
  std::string name;     // plural: "deployments"
  std::string kind;     // "Deployment"
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> verbs;
  bool namespaced = false;

  std::string group_resource() const { return group.empty() ? name : name + "." + group; }     // "deployments.apps"
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }  // "apps/v1"
  bool can(std::string_view verb) const;
  // "/apis/apps/v1/namespaces/NS/deployments/NAME". Without namespace: of all namespaces, or cluster-scoped; without
  // name: the collection.
  std::string path(std::string_view name_space = {}, std::string_view object_name = {}) const;
};

}  // namespace holdfast::k8s
