#include "k8s/spec/restore_spec.h"

#include <algorithm>
#include <array>

#include "k8s/spec/go_duration.h"
#include "storage/base/names.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr std::array<std::string_view, 9> kNeverRestored{
    "nodes", "events", "events.events.k8s.io", "backups.velero.io", "restores.velero.io", "resticrepositories.velero.io",
    "csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io", "backuprepositories.velero.io"};

using Problems = std::vector<std::string>;

void read_source(const json::object& o, RestoreSpec& spec, Problems& problems) {
  spec.backup_name = text_at(o, "backupName");
  spec.schedule_name = text_at(o, "scheduleName");
  if (spec.backup_name.empty() == spec.schedule_name.empty()) {
    problems.push_back("Either a backup or schedule must be specified as a source for the restore, but not both");
  }
}

void read_filters(const json::object& o, RestoreSpec& spec, Problems& problems) {
  spec.namespaces = {texts_at(o, "includedNamespaces"), texts_at(o, "excludedNamespaces")};
  spec.resources = {texts_at(o, "includedResources"), texts_at(o, "excludedResources")};
  if (const bool* flag = flag_at(o, "includeClusterResources")) spec.include_cluster_resources = *flag;
  check_lists(spec.resources, "included/excluded resource", false, problems);
  check_namespace_lists(spec.namespaces, problems);
  for (const std::string& name : spec.resources.included) {
    if (is_never_restored(name)) problems.push_back(name + " are non-restorable resources");
  }
  spec.labels = LabelSelectors::read(o, "restore", problems);
}

void read_mapping(const json::object& o, RestoreSpec& spec, Problems& problems) {
  std::map<std::string, std::string> sources;
  for (const auto& [from, to] : object_at(o, "namespaceMapping")) {
    const std::string target = to.is_string() ? std::string(to.get_string()) : std::string();
    if (!is_dns_label(target)) problems.push_back("namespaceMapping: \"" + target + "\" is no name of a namespace");
    const auto [other, fresh] = sources.emplace(target, from);
    if (!fresh) problems.push_back("namespaceMapping: " + other->second + " and " + std::string(from) + " would both go to " + target);
    spec.namespace_mapping[std::string(from)] = target;
  }
}

void read_policy(const json::object& o, RestoreSpec& spec, Problems& problems) {
  const std::string policy = text_at(o, "existingResourcePolicy");
  spec.update_existing = policy == "update";
  if (!policy.empty() && policy != "none" && policy != "update") problems.push_back("Invalid ExistingResourcePolicy: " + policy);
}

}  // namespace

const std::string& RestoreSpec::target_namespace(const std::string& name) const {
  const auto found = namespace_mapping.find(name);
  return found == namespace_mapping.end() ? name : found->second;
}

RestoreSpec parse_restore_spec(const json::object& o, Problems& problems) {
  RestoreSpec spec;
  spec.document = o;
  read_source(o, spec, problems);
  read_filters(o, spec, problems);
  read_mapping(o, spec, problems);
  read_policy(o, spec, problems);
  spec.preserve_node_ports = is_true(o, "preserveNodePorts");
  if (const bool* flag = flag_at(o, "restorePVs")) spec.restore_volumes = *flag;
  if (const json::value* v = o.if_contains("restoreStatus"); v != nullptr && v->is_object()) {
    spec.status = NameLists{texts_at(v->get_object(), "includedResources"), texts_at(v->get_object(), "excludedResources")};
  }
  spec.hooks = parse_restore_hooks(o, problems);
  const json::object& modifier = object_at(o, "resourceModifier");
  spec.resource_modifier = text_at(modifier, "name");
  if (!spec.resource_modifier.empty() && lower(text_at(modifier, "kind")) != "configmap") {
    problems.push_back("resource modifiers can only be a ConfigMap, not a \"" + text_at(modifier, "kind") + "\"");
  }
  if (!object_at(o, "resourcePolicy").empty()) problems.push_back("resourcePolicy: resource policies of restores are not supported by this server");
  json::object& written = spec.document;
  json::array excluded = array_at(o, "excludedResources");
  for (const std::string_view name : kNeverRestored) {
    if (!contains(spec.resources.excluded, name)) excluded.emplace_back(name);
  }
  written["excludedResources"] = std::move(excluded);
  if (spec.namespaces.included.empty()) written["includedNamespaces"] = json::array{"*"};
  if (parse_duration_ms(view_at(o, "itemOperationTimeout")).value_or(0) == 0) written["itemOperationTimeout"] = "4h0m0s";
  return spec;
}

bool is_never_restored(const std::string& group_resource) {
  return std::find(kNeverRestored.begin(), kNeverRestored.end(), group_resource) != kNeverRestored.end();
}

}  // namespace holdfast::k8s
