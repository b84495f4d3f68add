// Backup.spec (velero.io/v1), read and checked: https://velero.io/docs/main/api-types/backup/
#pragma once

#include <map>
#include <optional>

#include "k8s/backup/label_selector.h"

namespace holdfast::k8s {

// Names to take and names to leave; "*" and shell patterns are allowed. Empty `included`: everything.
struct NameLists {
  std::vector<std::string> included, excluded;
  bool any() const { return !included.empty() || !excluded.empty(); }
  bool includes(const std::string& name) const;
  bool excludes(const std::string& name) const;
};

struct BackupSpec {
  NameLists namespaces;
  NameLists resources;                 // the older filters, with include_cluster_resources
  NameLists cluster_scoped, namespace_scoped;  // the newer ones
  std::optional<bool> include_cluster_resources;  // none: auto
  std::optional<LabelSelector> label_selector;
  std::vector<LabelSelector> or_label_selectors;
  std::map<std::string, std::vector<std::string>> ordered_resources;  // by resource: "namespace/name" or "name"
  std::optional<bool> snapshot_volumes;
  bool fs_backup = false;              // defaultVolumesToFsBackup
  bool move_snapshot_data = false;
  bool has_hooks = false;
  std::string resource_policy;         // name of a ConfigMap
  int64_t ttl_ms = 0;
  // As given, with the defaults that Velero writes into it.
  json::object document;

  bool newer_filters() const { return cluster_scoped.any() || namespace_scoped.any(); }
  // No label selector, or several of which one must match.
  bool selects_labels() const { return label_selector || !or_label_selectors.empty(); }
};

inline constexpr int64_t kDefaultTtlMs = 30LL * 24 * 3'600'000;

// What is wrong with it, for status.validationErrors, goes to `problems`; the result is of use only without any.
BackupSpec parse_backup_spec(const json::object& document, std::vector<std::string>& problems);

// "*", "?" and "[ab]" as in a shell. No character is special between them.
bool glob_matches(const std::string& pattern, const std::string& text);

}  // namespace holdfast::k8s
