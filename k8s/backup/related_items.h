// Objects that come along because a backed-up one needs them, and what is cleaned off before an object is stored.
#pragma once

#include <optional>

#include "k8s/backup/item_set.h"
#include "k8s/client/api_client.h"
#include "k8s/client/discovery.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Which service accounts cluster role bindings name. Read once, when the first service account comes by.
class ClusterRoleBindings {
 public:
  Result<void> load(ApiClient& client, const Discovery& discovery);
  bool loaded() const { return loaded_; }
  // Bindings and their roles.
  std::vector<ItemRef> of(const std::string& name_space, const std::string& service_account) const;

 private:
  struct Binding {
    std::string name, role;
  };
  bool loaded_ = false;
  std::map<std::string, std::vector<Binding>> by_account_;  // "namespace/name"
};

// A pod's claims and priority class; a claim's volume; a service account's cluster roles.
std::vector<ItemRef> related_items(const std::string& group_resource, const json::object& object, const ClusterRoleBindings& bindings);

// The object as it is stored where that differs from the live one: a bound claim loses its data source, the selector
// by which it found its volume, and labels of earlier restores.
std::optional<json::object> changed_for_backup(const std::string& group_resource, const json::object& object, const std::string& backup_name);

}  // namespace holdfast::k8s
