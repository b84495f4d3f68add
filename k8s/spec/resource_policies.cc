#include "k8s/spec/resource_policies.h"

#include <algorithm>
#include <set>

#include "k8s/spec/quantity.h"
#include "k8s/yaml_json.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

std::unexpected<Status> bad(const std::string& why) { return error(Code::kInvalidArgument, why); }

// Members of a volume's spec that are not its source.
bool is_plain_member(std::string_view key) {
  static const std::set<std::string_view> kPlain{"name", "capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName",
                                                 "mountOptions", "volumeMode", "nodeAffinity", "volumeAttributesClassName", "persistentVolumeClaim"};
  return kPlain.contains(key);
}

void take_source(PolicyVolume& v, const json::object& spec) {
  for (const auto& [key, value] : spec) {
    if (is_plain_member(key) || !value.is_object()) continue;
    v.type = key == "storageos" ? "storageOS" : std::string(key);
    v.source = value.get_object();
    return;
  }
}

Result<std::vector<std::string>> texts_of(const json::object& o, const std::string& key) {
  const json::value* v = o.if_contains(key);
  if (v == nullptr || v->is_null()) return std::vector<std::string>();
  if (!v->is_array()) return bad(key + " must be a list of strings");
  for (const json::value& one : v->get_array()) {
    if (!one.is_string()) return bad(key + " must be a list of strings");
  }
  return texts_at(o, key);
}

// Where the volume's source has what is asked for; what is not asked for may be anything.
bool has_members(const json::object& have, const json::object& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) { return view_at(have, pair.key()) == view_at(wanted, pair.key()); });
}

bool in(const std::vector<std::string>& list, const std::string& value) { return list.empty() || contains(list, value); }

bool same_set(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return a.size() == b.size() && std::set<std::string>(a.begin(), a.end()) == std::set<std::string>(b.begin(), b.end());
}

}  // namespace

void PolicyVolume::take_volume(const json::object& pv) {
  const json::object& spec = object_at(pv, "spec");
  capacity = parse_quantity(view_at(object_at(spec, "capacity"), "storage")).value_or(0);
  storage_class = text_at(spec, "storageClassName");
  take_source(*this, spec);
}

void PolicyVolume::take_claim(const json::object& claim) {
  const json::object& spec = object_at(claim, "spec");
  claim_labels = object_at(object_at(claim, "metadata"), "labels");
  claim_phase = text_at(object_at(claim, "status"), "phase");
  claim_mode = text_at(spec, "volumeMode");
  claim_access_modes = texts_at(spec, "accessModes");
}

PolicyVolume PolicyVolume::of_pod_volume(const json::object& volume) {
  PolicyVolume v;
  take_source(v, volume);
  return v;
}

bool ResourcePolicies::Conditions::hold(const PolicyVolume& v) const {
  if (v.capacity < at_least || (at_most > 0 && v.capacity > at_most)) return false;
  if (!storage_classes.empty() && (v.storage_class.empty() || !contains(storage_classes, v.storage_class))) return false;
  if (!in(types, v.type) || !in(phases, v.claim_phase)) return false;
  if (nfs && (v.type != "nfs" || !has_members(v.source, *nfs))) return false;
  if (csi) {
    if (v.type != "csi") return false;
    const std::string driver = text_at(*csi, "driver");
    if (!driver.empty() && (driver != text_at(v.source, "driver") || !has_members(object_at(v.source, "volumeAttributes"), object_at(*csi, "volumeAttributes")))) return false;
  }
  if (!has_members(v.claim_labels, labels)) return false;
  if (!mode.empty() && v.claim_mode != mode) return false;
  return access_modes.empty() || same_set(access_modes, v.claim_access_modes);
}

Result<ResourcePolicies::Conditions> ResourcePolicies::conditions_of(const json::object& o) {
  HF_CHECK(only_members(o, "conditions.", {"capacity", "storageClass", "nfs", "csi", "volumeTypes", "pvcLabels", "pvcPhase", "pvcVolumeMode", "pvcAccessModes"}));
  Conditions c;
  if (const json::value* capacity = o.if_contains("capacity"); capacity != nullptr && !capacity->is_null()) {
    const std::string text = text_at(o, "capacity");
    const std::vector<std::string_view> bounds = split_text(text, ',');
    if (bounds.size() != 2) return bad("wrong format of capacity \"" + text + "\": it is LOW,HIGH");
    long double* const ends[] = {&c.at_least, &c.at_most};
    for (size_t i = 0; i < 2; ++i) {
      std::string bound(bounds[i]);
      std::erase(bound, ' ');
      const auto parsed = parse_quantity(bound.empty() ? "0" : bound);
      if (!parsed || *parsed < 0) return bad("wrong format of capacity \"" + text + "\": \"" + bound + "\" is no quantity");
      *ends[i] = *parsed;
    }
    if (c.at_most > 0 && c.at_most < c.at_least) return bad("illegal values for capacity \"" + text + "\"");
  }
  HF_TRY(c.storage_classes, texts_of(o, "storageClass"));
  HF_TRY(c.types, texts_of(o, "volumeTypes"));
  HF_TRY(c.phases, texts_of(o, "pvcPhase"));
  HF_TRY(c.access_modes, texts_of(o, "pvcAccessModes"));
  c.mode = text_at(o, "pvcVolumeMode");
  if (const json::value* v = o.if_contains("pvcVolumeMode"); v != nullptr && !v->is_string()) return bad("pvcVolumeMode must be a string");
  if (const json::value* v = o.if_contains("pvcLabels"); v != nullptr) {
    const auto is_text = [](const auto& pair) { return pair.value().is_string(); };
    if (!v->is_object() || !std::all_of(v->get_object().begin(), v->get_object().end(), is_text)) return bad("pvcLabels must be a map of string to string");
    c.labels = v->get_object();
  }
  if (const json::value* v = o.if_contains("nfs"); v != nullptr && v->is_object()) {
    HF_CHECK(only_members(v->get_object(), "nfs.", {"server", "path"}));
    c.nfs.emplace();
    for (const auto& [key, value] : v->get_object()) {
      if (!value.is_string()) return bad("nfs." + std::string(key) + " must be a string");
      if (!value.get_string().empty()) (*c.nfs)[key] = value;
    }
  }
  if (const json::value* v = o.if_contains("csi"); v != nullptr && v->is_object()) {
    HF_CHECK(only_members(v->get_object(), "csi.", {"driver", "volumeAttributes"}));
    c.csi = v->get_object();
    if (view_at(*c.csi, "driver").empty() && c.csi->contains("volumeAttributes")) return bad("csi driver should not be empty when filtering by volume attributes");
  }
  return c;
}

Result<void> ResourcePolicies::read_volume_policies(const json::array& policies) {
  for (size_t i = 0; i < policies.size(); ++i) {
    const std::string where = "volumePolicies[" + std::to_string(i) + "]: ";
    const json::object* o = policies[i].if_object();
    if (o == nullptr) return bad(where + "is not a map");
    HF_CHECK(only_members(*o, where, {"conditions", "action"}));
    const json::object& action = object_at(*o, "action");
    HF_CHECK(only_members(action, where + "action.", {"type", "parameters"}));
    const std::string type = text_at(action, "type");
    if (type == "fs-backup" || type == "snapshot" || type == "custom") return bad(where + "action " + type + ": this server does not save the data of volumes yet; it knows skip");
    if (type != "skip") return bad(where + "invalid action type \"" + type + "\"");
    auto conditions = conditions_of(object_at(*o, "conditions"));
    if (!conditions) return bad(where + conditions.error().message());
    skipped_.push_back(std::move(*conditions));
  }
  return {};
}

Result<void> ResourcePolicies::read_filters(const json::object& o) {
  HF_CHECK(only_members(o, "includeExcludePolicy.", {"includedClusterScopedResources", "excludedClusterScopedResources", "includedNamespaceScopedResources",
                                             "excludedNamespaceScopedResources"}));
  HF_TRY(cluster_scoped_.included, texts_of(o, "includedClusterScopedResources"));
  HF_TRY(cluster_scoped_.excluded, texts_of(o, "excludedClusterScopedResources"));
  HF_TRY(namespace_scoped_.included, texts_of(o, "includedNamespaceScopedResources"));
  HF_TRY(namespace_scoped_.excluded, texts_of(o, "excludedNamespaceScopedResources"));
  for (const NameLists* lists : {&cluster_scoped_, &namespace_scoped_}) {
    if (contains(lists->included, "*") || contains(lists->excluded, "*")) return bad("cannot use '*' in includes or excludes filters in the policy");
    for (const std::string& name : lists->excluded) {
      if (contains(lists->included, name)) return bad("excludes list cannot contain an item in the includes list: " + name);
    }
  }
  return {};
}

Result<ResourcePolicies> ResourcePolicies::parse(const json::object& config_map) {
  HF_TRY(const json::object o, map_in(config_map));
  HF_CHECK(only_members(o, "", {"version", "volumePolicies", "includeExcludePolicy", "clusterScopedFilterPolicy", "namespacedFilterPolicies"}));
  if (text_at(o, "version") != "v1") return bad("incompatible version number \"" + text_at(o, "version") + "\" with supported version v1");
  for (const char* unknown : {"clusterScopedFilterPolicy", "namespacedFilterPolicies"}) {
    if (const json::value* v = o.if_contains(unknown); v != nullptr && !v->is_null()) return bad(std::string(unknown) + " is not supported by this server");
  }
  ResourcePolicies policies;
  HF_CHECK(policies.read_volume_policies(array_at(o, "volumePolicies")));
  HF_CHECK(policies.read_filters(object_at(o, "includeExcludePolicy")));
  return policies;
}

bool ResourcePolicies::skips(const PolicyVolume& volume) const {
  return std::any_of(skipped_.begin(), skipped_.end(), [&](const Conditions& c) { return c.hold(volume); });
}

}  // namespace holdfast::k8s
