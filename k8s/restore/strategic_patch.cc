#include "k8s/restore/strategic_patch.h"

#include <algorithm>
#include <array>

namespace holdfast::k8s {

namespace {

constexpr std::string_view kDeleteFrom = "$deleteFromPrimitiveList/";

// patchMergeKey of k8s.io/api, by the list's name; where a name means different things, by what its entries look like.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kMergeKeys{{
    {"containers", "name"}, {"initContainers", "name"}, {"ephemeralContainers", "name"}, {"volumes", "name"}, {"env", "name"},
    {"volumeMounts", "mountPath"}, {"volumeDevices", "devicePath"}, {"imagePullSecrets", "name"}, {"hostAliases", "ip"},
    {"topologySpreadConstraints", "topologyKey"}, {"resourceClaims", "name"}, {"schedulingGates", "name"}, {"secrets", "name"},
    {"webhooks", "name"}, {"conditions", "type"}, {"ownerReferences", "uid"}}};

std::string merge_key(std::string_view list, const json::array& entries) {
  if (list == "ports") {
    const bool of_container = std::any_of(entries.begin(), entries.end(), [](const json::value& e) { return e.is_object() && e.get_object().contains("containerPort"); });
    return of_container ? "containerPort" : "port";
  }
  for (const auto& [name, key] : kMergeKeys) {
    if (name == list) return std::string(key);
  }
  return {};
}

bool is_built_in(const json::object& document) {
  const std::string_view version = view_at(document, "apiVersion");
  const size_t slash = version.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view group = version.substr(0, slash);
  return group.find('.') == std::string_view::npos || group.ends_with(".k8s.io");
}

Result<void> merge(json::object& target, const json::object& patch);

json::value* entry_of(json::array& list, const std::string& key, const json::value& wanted) {
  for (json::value& e : list) {
    const json::value* have = e.is_object() ? e.get_object().if_contains(key) : nullptr;
    if (have != nullptr && *have == wanted) return &e;
  }
  return nullptr;
}

Result<void> merge_list(json::array& target, const json::array& patch, const std::string& name, const std::string& key) {
  json::array fresh;
  for (const json::value& v : patch) {
    if (!v.is_object()) return error(Code::kInvalidArgument, "an entry of " + name + " is not an object");
    json::object entry = v.get_object();
    const std::string directive = text_at(entry, "$patch");
    entry.erase("$patch");
    if (directive == "replace" && entry.empty()) {
      target.clear();
      continue;
    }
    const json::value* wanted = entry.if_contains(key);
    if (wanted == nullptr) return error(Code::kInvalidArgument, "an entry of " + name + " has no " + key);
    json::value* have = entry_of(target, key, *wanted);
    if (directive == "delete") {
      if (have != nullptr) target.erase(target.begin() + (have - target.data()));
    } else if (have != nullptr && directive != "replace") {
      HF_CHECK(merge(have->get_object(), entry));
    } else if (have != nullptr) {
      *have = std::move(entry);
    } else {
      fresh.push_back(std::move(entry));
    }
  }
  for (json::value& e : fresh) target.push_back(std::move(e));
  return {};
}

Result<void> merge_array(json::object& target, const std::string& name, const json::array& patch) {
  json::array* have = array_in(target, name);
  const std::string key = merge_key(name, patch);
  if (!key.empty()) {
    if (have == nullptr) have = &(target[name] = json::array()).get_array();
    return merge_list(*have, patch, name, key);
  }
  if (name != "finalizers" || have == nullptr) {
    target[name] = patch;
    return {};
  }
  for (const json::value& v : patch) {
    if (std::find(have->begin(), have->end(), v) == have->end()) have->push_back(v);
  }
  return {};
}

Result<void> merge_member(json::object& target, const std::string& name, const json::value& value) {
  if (name.starts_with(kDeleteFrom)) {
    json::array* list = array_in(target, name.substr(kDeleteFrom.size()));
    if (list == nullptr || !value.is_array()) return {};
    for (const json::value& gone : value.get_array()) {
      list->erase(std::remove(list->begin(), list->end(), gone), list->end());
    }
    return {};
  }
  if (name.starts_with('$')) return error(Code::kInvalidArgument, "the directive " + name + " is not supported");
  if (value.is_null()) {
    target.erase(name);
  } else if (value.is_array()) {
    return merge_array(target, name, value.get_array());
  } else if (value.is_object()) {
    json::object* have = object_in(target, name);
    if (have == nullptr) have = &(target[name] = json::object()).get_object();
    return merge(*have, value.get_object());
  } else {
    target[name] = value;
  }
  return {};
}

Result<void> merge(json::object& target, const json::object& patch) {
  const std::string directive = text_at(patch, "$patch");
  if (directive == "replace" || directive == "delete") target.clear();
  else if (!directive.empty() && directive != "merge") return error(Code::kInvalidArgument, "there is no directive $patch: " + directive);
  if (directive == "delete") return {};
  for (const auto& [name, value] : patch) {
    if (name != "$patch") HF_CHECK(merge_member(target, std::string(name), value));
  }
  return {};
}

}  // namespace

Result<void> apply_strategic_patch(json::object& document, const json::object& patch) {
  if (!is_built_in(document)) return error(Code::kInvalidArgument, "strategic patches are for built-in kinds, not for " + text_at(document, "kind"));
  json::object changed = document;
  HF_CHECK(merge(changed, patch));
  document = std::move(changed);
  return {};
}

}  // namespace holdfast::k8s
