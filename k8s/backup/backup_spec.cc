#include "k8s/backup/backup_spec.h"

#include <fnmatch.h>

#include <algorithm>

#include "k8s/backup/go_duration.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

bool glob_matches(const std::string& pattern, const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0; }

bool NameLists::excludes(const std::string& name) const {
  return std::any_of(excluded.begin(), excluded.end(), [&](const std::string& p) { return glob_matches(p, name); });
}

bool NameLists::includes(const std::string& name) const {
  if (excludes(name)) return false;
  return included.empty() || std::any_of(included.begin(), included.end(), [&](const std::string& p) { return glob_matches(p, name); });
}

namespace {

using Problems = std::vector<std::string>;

// `all_excluded`: "*" may stand among what is left out, alone.
void check_lists(const NameLists& lists, const std::string& what, bool all_excluded, Problems& problems) {
  const auto say = [&](const std::string& text) { problems.push_back("Invalid " + what + " lists: " + text); };
  if (lists.included.size() > 1 && contains(lists.included, "*")) {
    say("includes list must either contain '*' only, or a non-empty list of items");
  }
  if (!all_excluded && contains(lists.excluded, "*")) say("excludes list cannot contain '*'");
  if (all_excluded && contains(lists.excluded, "*")) {
    if (lists.excluded.size() > 1) say("excludes list must either contain '*' only, or a non-empty list of items");
    if (!lists.included.empty()) say("when exclude is '*', include cannot have value");
  }
  for (const std::string& name : lists.excluded) {
    if (contains(lists.included, name)) say("excludes list cannot contain an item in the includes list: " + name);
  }
}

// A namespace's name, or a pattern of one.
std::string namespace_problem(const std::string& name) {
  if (name.empty()) return "";
  if (name.find_first_of("|()!{},") != std::string::npos) return "wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,";
  if (name.find("**") != std::string::npos) return "wildcard pattern contains consecutive asterisks (only single * allowed)";
  bool open = false;
  size_t opened = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '[' && !open) {
      open = true;
      opened = i;
    } else if (c == ']') {
      if (!open) return "wildcard pattern contains unmatched closing bracket ']'";
      if (i == opened + 1) return "wildcard pattern contains empty bracket pattern '[]'";
      open = false;
    } else if (const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*' || c == '?'; !plain) {
      return "invalid namespace \"" + name + "\": only lower case letters, digits and '-' may stand in it";
    }
  }
  return open ? "wildcard pattern contains unclosed bracket '['" : "";
}

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

void read_selectors(const json::object& o, BackupSpec& spec, Problems& problems) {
  const auto read = [&](const json::object& selector, const char* where) {
    auto parsed = LabelSelector::parse(selector);
    if (!parsed) problems.push_back(std::string(where) + ": " + parsed.error().message());
    return parsed ? *parsed : LabelSelector();
  };
  if (const json::value* v = o.if_contains("labelSelector"); v != nullptr && v->is_object()) {
    spec.label_selector = read(v->get_object(), "labelSelector");
  }
  for (const json::value& v : array_at(o, "orLabelSelectors")) {
    if (v.is_object()) spec.or_label_selectors.push_back(read(v.get_object(), "orLabelSelectors"));
  }
  if (spec.label_selector && !spec.or_label_selectors.empty()) {
    problems.push_back("encountered labelSelector as well as orLabelSelectors in backup spec, only one can be specified");
  }
}

void read_filters(const json::object& o, BackupSpec& spec, Problems& problems) {
  spec.namespaces = {texts_at(o, "includedNamespaces"), texts_at(o, "excludedNamespaces")};
  spec.resources = {texts_at(o, "includedResources"), texts_at(o, "excludedResources")};
  spec.cluster_scoped = {texts_at(o, "includedClusterScopedResources"), texts_at(o, "excludedClusterScopedResources")};
  spec.namespace_scoped = {texts_at(o, "includedNamespaceScopedResources"), texts_at(o, "excludedNamespaceScopedResources")};
  if (const bool* flag = flag_at(o, "includeClusterResources")) spec.include_cluster_resources = *flag;
  const bool older = spec.resources.any() || spec.include_cluster_resources;
  if (older && spec.newer_filters()) {
    problems.push_back("include-resources, exclude-resources and include-cluster-resources are old filter parameters.\n"
                       "include-cluster-scoped-resources, exclude-cluster-scoped-resources, include-namespace-scoped-resources and "
                       "exclude-namespace-scoped-resources are new filter parameters.\nThey cannot be used together");
  }
  check_lists(spec.resources, "included/excluded resource", false, problems);
  check_lists(spec.cluster_scoped, "cluster-scoped included/excluded resource", true, problems);
  check_lists(spec.namespace_scoped, "namespace-scoped included/excluded resource", true, problems);
  check_lists(spec.namespaces, "included/excluded namespace", false, problems);
  for (const auto* list : {&spec.namespaces.included, &spec.namespaces.excluded}) {
    for (const std::string& name : *list) {
      if (const std::string problem = namespace_problem(name); !problem.empty()) {
        problems.push_back("Invalid included/excluded namespace lists: " + problem);
      }
    }
  }
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
  read_selectors(o, spec, problems);
  if (spec.namespaces.included.empty()) written["includedNamespaces"] = json::array{"*"};
  for (const auto& [resource, names] : object_at(o, "orderedResources")) {
    if (names.is_string()) spec.ordered_resources[std::string(resource)] = split_list(std::string_view(names.get_string()));
  }
  if (const bool* flag = flag_at(o, "snapshotVolumes")) spec.snapshot_volumes = *flag;
  spec.fs_backup = is_true(o, "defaultVolumesToFsBackup") || is_true(o, "defaultVolumesToRestic");
  written["defaultVolumesToFsBackup"] = spec.fs_backup;
  spec.move_snapshot_data = is_true(o, "snapshotMoveData");
  written["snapshotMoveData"] = spec.move_snapshot_data;
  spec.has_hooks = !array_at(object_at(o, "hooks"), "resources").empty();
  spec.resource_policy = text_at(object_at(o, "resourcePolicy"), "name");
  read_duration(o, "ttl", kDefaultTtlMs, written, &spec.ttl_ms, problems);
  read_duration(o, "csiSnapshotTimeout", 600'000, written, nullptr, problems);
  read_duration(o, "itemOperationTimeout", 4 * 3'600'000, written, nullptr, problems);
  if (view_at(o, "volumeGroupSnapshotLabelKey").empty()) written["volumeGroupSnapshotLabelKey"] = "velero.io/volume-group";
  return spec;
}

}  // namespace holdfast::k8s
