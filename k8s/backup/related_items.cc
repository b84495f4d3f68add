#include "k8s/backup/related_items.h"

namespace holdfast::k8s {

Result<void> ClusterRoleBindings::load(ApiClient& client, const Discovery& discovery) {
  loaded_ = true;
  const ApiResource* resource = discovery.find("clusterrolebindings.rbac.authorization.k8s.io");
  if (resource == nullptr) return {};
  auto listed = client.list(resource->path(), {}, [&](std::string_view item) -> Result<void> {
    HF_TRY(const json::object binding, parse_object(item));
    const std::string name = text_at(object_at(binding, "metadata"), "name");
    const std::string role = text_at(object_at(binding, "roleRef"), "name");
    for (const json::value& s : array_at(binding, "subjects")) {
      const json::object* subject = s.if_object();
      if (subject == nullptr || view_at(*subject, "kind") != "ServiceAccount") continue;
      by_account_[text_at(*subject, "namespace") + "/" + text_at(*subject, "name")].push_back({name, role});
    }
    return {};
  });
  if (!listed) return std::unexpected(std::move(listed.error()));
  return {};
}

std::vector<ItemRef> ClusterRoleBindings::of(const std::string& name_space, const std::string& service_account) const {
  std::vector<ItemRef> out;
  const auto found = by_account_.find(name_space + "/" + service_account);
  if (found == by_account_.end()) return out;
  for (const Binding& b : found->second) {
    out.push_back({"clusterrolebindings.rbac.authorization.k8s.io", "", b.name});
    out.push_back({"clusterroles.rbac.authorization.k8s.io", "", b.role});
  }
  return out;
}

namespace {

bool is_bound(const json::object& claim) {
  return view_at(object_at(claim, "status"), "phase") == "Bound" && !view_at(object_at(claim, "spec"), "volumeName").empty();
}

std::vector<ItemRef> related_to_pod(const json::object& pod, const std::string& name_space) {
  std::vector<ItemRef> out;
  const json::object& spec = object_at(pod, "spec");
  if (const std::string name = text_at(spec, "priorityClassName"); !name.empty()) {
    out.push_back({"priorityclasses.scheduling.k8s.io", "", name});
  }
  for (const json::value& v : array_at(spec, "volumes")) {
    const json::object* volume = v.if_object();
    if (volume == nullptr) continue;
    const std::string claim = text_at(object_at(*volume, "persistentVolumeClaim"), "claimName");
    if (!claim.empty()) out.push_back({"persistentvolumeclaims", name_space, claim});
  }
  return out;
}

json::object* labels_of(json::object& object) {
  json::value* metadata = object.if_contains("metadata");
  json::value* labels = metadata != nullptr && metadata->is_object() ? metadata->get_object().if_contains("labels") : nullptr;
  return labels != nullptr ? labels->if_object() : nullptr;
}

bool is_stale_label(std::string_view key, const json::value& value, const std::string& backup_name) {
  if (key == "velero.io/backup-name") return !value.is_string() || std::string_view(value.get_string()) != backup_name;
  return key == "velero.io/restore-name" || key == "velero.io/volume-snapshot-name" || key == "backup.velero.io/must-include-additional-items";
}

}  // namespace

std::vector<ItemRef> related_items(const std::string& group_resource, const json::object& object, const ClusterRoleBindings& bindings) {
  const json::object& metadata = object_at(object, "metadata");
  const std::string name_space = text_at(metadata, "namespace");
  if (group_resource == "pods") return related_to_pod(object, name_space);
  if (group_resource == "serviceaccounts") return bindings.of(name_space, text_at(metadata, "name"));
  if (group_resource == "persistentvolumeclaims" && is_bound(object)) {
    return {{"persistentvolumes", "", text_at(object_at(object, "spec"), "volumeName")}};
  }
  return {};
}

std::optional<json::object> changed_for_backup(const std::string& group_resource, const json::object& object, const std::string& backup_name) {
  if (group_resource != "persistentvolumeclaims" || !is_bound(object)) return std::nullopt;
  json::object claim = object;
  json::object& spec = claim["spec"].get_object();  // it names the volume
  spec.erase("dataSource");
  spec.erase("dataSourceRef");
  // An empty class forbids provisioning: then the selector is the only way to the volume.
  const json::value* storage_class = spec.if_contains("storageClassName");
  if (storage_class == nullptr || !storage_class->is_string() || !storage_class->get_string().empty()) spec.erase("selector");
  if (json::value* selector = spec.if_contains("selector"); selector != nullptr && selector->is_object()) {
    if (json::value* labels = selector->get_object().if_contains("matchLabels"); labels != nullptr && labels->is_object()) {
      json::object kept;
      for (const auto& [key, value] : labels->get_object()) {
        if (!std::string_view(key).starts_with("velero.io/")) kept[key] = value;
      }
      *labels = std::move(kept);
    }
  }
  if (json::object* labels = labels_of(claim)) {
    json::object kept;
    for (const auto& [key, value] : *labels) {
      if (!is_stale_label(key, value, backup_name)) kept[key] = value;
    }
    *labels = std::move(kept);
  }
  return claim;
}

}  // namespace holdfast::k8s
