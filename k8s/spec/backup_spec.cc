#include "k8s/spec/backup_spec.h"

#include "k8s/spec/go_duration.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

using Problems = std::vector<std::string>;

void read_duration(const json::object& o, const char* key, int64_t fallback_ms, json::object& written, int64_t* value, Problems& problems) {
  int64_t ms = 0;
  if (const std::string text = text_at(o, key); !text.empty()) {
    const auto parsed = parse_duration_ms(text);
    if (!parsed) problems.push_back(std::string(key) + ": \"" + text + "\" is not a duration");
    ms = parsed.value_or(0);
  }
  if (ms == 0) ms = fallback_ms;
  written[key] = duration_text(ms);
  if (value != nullptr) *value = ms;
}

void read_filters(const json::object& o, BackupSpec& spec, Problems& problems) {
  spec.namespaces = {texts_at(o, "includedNamespaces"), texts_at(o, "excludedNamespaces")};
  spec.resources = {texts_at(o, "includedResources"), texts_at(o, "excludedResources")};
  spec.cluster_scoped = {texts_at(o, "includedClusterScopedResources"), texts_at(o, "excludedClusterScopedResources")};
  spec.namespace_scoped = {texts_at(o, "includedNamespaceScopedResources"), texts_at(o, "excludedNamespaceScopedResources")};
  if (const bool* flag = flag_at(o, "includeClusterResources")) spec.include_cluster_resources = *flag;
  if (spec.older_filters() && spec.newer_filters()) {
    problems.push_back("include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
                       "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
                       "exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together");
  }
  check_lists(spec.resources, "included/excluded resource", false, problems);
  check_lists(spec.cluster_scoped, "cluster-scoped included/excluded resource", true, problems);
  check_lists(spec.namespace_scoped, "namespace-scoped included/excluded resource", true, problems);
  check_namespace_lists(spec.namespaces, problems);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string_view part : split_text(text, ',')) {
    std::string name(part);
    std::erase(name, ' ');
    if (!name.empty()) out.push_back(std::move(name));
  }
  return out;
}

}  // namespace

BackupSpec parse_backup_spec(const json::object& o, Problems& problems) {
  BackupSpec spec;
  spec.document = o;
  json::object& written = spec.document;
  read_filters(o, spec, problems);
  spec.labels = LabelSelectors::read(o, "backup", problems);
  if (spec.namespaces.included.empty()) written["includedNamespaces"] = json::array{"*"};
  for (const auto& [resource, names] : object_at(o, "orderedResources")) {
    if (names.is_string()) spec.ordered_resources[std::string(resource)] = split_list(std::string_view(names.get_string()));
  }
  if (const bool* flag = flag_at(o, "snapshotVolumes")) spec.snapshot_volumes = *flag;
  spec.fs_backup = is_true(o, "defaultVolumesToFsBackup") || is_true(o, "defaultVolumesToRestic");
  written["defaultVolumesToFsBackup"] = spec.fs_backup;
  spec.move_snapshot_data = is_true(o, "snapshotMoveData");
  written["snapshotMoveData"] = spec.move_snapshot_data;
  spec.hooks = parse_backup_hooks(o, problems);
  const json::object& policy = object_at(o, "resourcePolicy");
  spec.resource_policy = text_at(policy, "name");
  if (!spec.resource_policy.empty() && lower(view_at(policy, "kind")) != "configmap") {
    problems.push_back("invalid resource policies: they can only be a ConfigMap, not a \"" + text_at(policy, "kind") + "\"");
  }
  read_duration(o, "ttl", kDefaultTtlMs, written, &spec.ttl_ms, problems);
  read_duration(o, "csiSnapshotTimeout", 600'000, written, nullptr, problems);
  read_duration(o, "itemOperationTimeout", 4 * 3'600'000, written, nullptr, problems);
  if (view_at(o, "volumeGroupSnapshotLabelKey").empty()) written["volumeGroupSnapshotLabelKey"] = "velero.io/volume-group";
  return spec;
}

Result<void> check_backup_spec(const std::string& spec) {
  HF_TRY(const json::object document, parse_object(spec));
  HF_CHECK(only_members(document, "", {"metadata", "includedNamespaces", "excludedNamespaces", "includedResources", "excludedResources", "includedClusterScopedResources",
                                       "excludedClusterScopedResources", "includedNamespaceScopedResources", "excludedNamespaceScopedResources", "labelSelector", "orLabelSelectors",
                                       "snapshotVolumes", "ttl", "includeClusterResources", "hooks", "storageLocation", "volumeSnapshotLocations", "defaultVolumesToRestic",
                                       "defaultVolumesToFsBackup", "orderedResources", "csiSnapshotTimeout", "itemOperationTimeout", "resourcePolicy", "snapshotMoveData", "datamover",
                                       "uploaderConfig", "volumeGroupSnapshotLabelKey"}));
  std::vector<std::string> problems;
  (void)parse_backup_spec(document, problems);
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  if (!all.empty()) return error(Code::kInvalidArgument, all);
  return {};
}

}  // namespace holdfast::k8s
