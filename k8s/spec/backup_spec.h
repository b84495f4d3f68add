// Backup.spec (velero.io/v1), read and checked: https://velero.io/docs/main/api-types/backup/
#pragma once

#include <map>
#include <optional>

#include "k8s/spec/hooks.h"
#include "k8s/spec/label_selector.h"
#include "k8s/spec/name_lists.h"
#include "k8s/spec/resource_policies.h"

namespace holdfast::k8s {

struct BackupSpec {
  NameLists namespaces;
  NameLists resources;                 // the older filters, with include_cluster_resources
  NameLists cluster_scoped, namespace_scoped;  // the newer ones
  std::optional<bool> include_cluster_resources;  // none: auto
  LabelSelectors labels;
  std::map<std::string, std::vector<std::string>> ordered_resources;  // by resource: "namespace/name" or "name"
  std::optional<bool> snapshot_volumes;
  bool fs_backup = false;              // defaultVolumesToFsBackup
  bool move_snapshot_data = false;
  std::vector<BackupHooks> hooks;
  std::string resource_policy;         // name of a ConfigMap
  std::optional<ResourcePolicies> policies;  // what stands in it, once it was read
  int64_t ttl_ms = 0;
  // As given, with the defaults that Velero writes into it.
  json::object document;

  bool older_filters() const { return resources.any() || include_cluster_resources; }
  bool newer_filters() const { return cluster_scoped.any() || namespace_scoped.any(); }
};

inline constexpr int64_t kDefaultTtlMs = 30LL * 24 * 3'600'000;

// What is wrong with it, for status.validationErrors, goes to `problems`; the result is of use only without any.
BackupSpec parse_backup_spec(const json::object& document, std::vector<std::string>& problems);

}  // namespace holdfast::k8s
