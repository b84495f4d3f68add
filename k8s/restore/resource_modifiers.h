// Changes to objects on their way back, from a ConfigMap:
// https://velero.io/docs/main/restore-resource-modifiers/
#pragma once

#include <memory>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Immutable; thread-safe.
class ResourceModifiers {
 public:
  // The ConfigMap as the API server has it, with one key. kInvalidArgument: what is wrong with it, unknown fields too.
  static Result<ResourceModifiers> parse(const json::object& config_map);
  ResourceModifiers(ResourceModifiers&&) noexcept;
  ResourceModifiers& operator=(ResourceModifiers&&) noexcept;
  ~ResourceModifiers();

  // Every rule whose conditions the object fulfils as it comes in, in order. The object is in its namespace of the backup.
  Result<void> apply(const std::string& group_resource, json::object& object) const;

 private:
  struct Rule;
  ResourceModifiers();
  std::vector<std::unique_ptr<const Rule>> rules_;
};

// "deployments.*", "{jobs,cronjobs}.batch", "**": "*" stands for anything but a dot, "**" for anything. As a regular
// expression (RE2).
std::string regex_of_resource_glob(std::string_view glob);

}  // namespace holdfast::k8s
