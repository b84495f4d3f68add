// Restore.spec (velero.io/v1), read and checked: https://velero.io/docs/main/api-types/restore/
#pragma once

#include <map>
#include <optional>

#include "k8s/spec/hooks.h"
#include "k8s/spec/label_selector.h"
#include "k8s/spec/name_lists.h"

namespace holdfast::k8s {

struct RestoreSpec {
  std::string backup_name;    // of these two, one
  std::string schedule_name;
  NameLists namespaces, resources;
  std::optional<bool> include_cluster_resources;  // none: auto
  LabelSelectors labels;
  std::map<std::string, std::string> namespace_mapping;
  bool update_existing = false;       // existingResourcePolicy
  bool preserve_node_ports = false;
  std::optional<bool> restore_volumes;  // restorePVs
  std::optional<NameLists> status;      // restoreStatus: of these kinds
  std::vector<RestoreHooks> hooks;
  std::string resource_modifier;        // name of a ConfigMap
  // As given, with the defaults that Velero writes into it.
  json::object document;

  // Where objects of this namespace go.
  const std::string& target_namespace(const std::string& name) const;
};

// What is wrong with it, for status.validationErrors, goes to `problems`.
RestoreSpec parse_restore_spec(const json::object& document, std::vector<std::string>& problems);

// Kinds that no restore brings back (Velero: pkg/controller/restore_controller.go).
bool is_never_restored(const std::string& group_resource);

}  // namespace holdfast::k8s
