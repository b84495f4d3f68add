#include "k8s/backup/resource_filter.h"

#include <algorithm>

#include "k8s/spec/resource_names.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

// Snapshots are made and taken along by the volume movers, not found by listing.
constexpr const char* kVolumeSnapshots = "volumesnapshots.snapshot.storage.k8s.io";
constexpr const char* kVolumeSnapshotContents = "volumesnapshotcontents.snapshot.storage.k8s.io";

// Without the snapshots, which stay out by themselves: an exclusion of theirs says nothing about the rest.
NameLists without_snapshots(const NameLists& lists, const Discovery& discovery, Scope scope) {
  NameLists out = resolved(lists, discovery, scope);
  std::erase_if(out.excluded, [](const std::string& name) { return name == kVolumeSnapshots || name == kVolumeSnapshotContents; });
  return out;
}

// What a policy adds to the lists of the backup, which come first.
void combine(NameLists& lists, const NameLists& policy) {
  const auto decided = [&](const std::string& name) {
    const auto matches = [&](const std::string& pattern) { return glob_matches(pattern, name); };
    return std::any_of(lists.included.begin(), lists.included.end(), matches) || lists.excludes(name);
  };
  for (const std::string& name : policy.excluded) {
    if (!decided(name)) lists.excluded.push_back(name);
  }
  for (const std::string& name : policy.included) {
    if (!decided(name)) lists.included.push_back(name);
  }
}

}  // namespace

ResourceFilter::ResourceFilter(const BackupSpec& spec, const Discovery& discovery, std::vector<std::string> namespaces,
                               const std::vector<std::string>& exempt)
    : namespaces_(spec.namespaces), include_cluster_(spec.include_cluster_resources), newer_(spec.newer_filters()) {
  namespaces_.excluded.insert(namespaces_.excluded.end(), exempt.begin(), exempt.end());
  std::vector<std::string> wanted = namespaces_.included;
  std::sort(wanted.begin(), wanted.end());
  std::sort(namespaces.begin(), namespaces.end());
  every_namespace_ = namespaces_.everything() || (namespaces_.excluded.empty() && wanted == namespaces);
  resources_ = without_snapshots(spec.resources, discovery, Scope::kAny);
  cluster_scoped_ = without_snapshots(spec.cluster_scoped, discovery, Scope::kCluster);
  namespace_scoped_ = without_snapshots(spec.namespace_scoped, discovery, Scope::kNamespaced);
  if (!spec.policies || !spec.policies->filters()) return;
  newer_ = true;
  combine(cluster_scoped_, resolved(spec.policies->cluster_scoped(), discovery, Scope::kCluster));
  combine(namespace_scoped_, resolved(spec.policies->namespace_scoped(), discovery, Scope::kNamespaced));
}

bool ResourceFilter::named_somewhere(const std::string& name) const {
  return contains(resources_.included, name) || contains(cluster_scoped_.included, name) || contains(namespace_scoped_.included, name);
}

bool ResourceFilter::collects(const ApiResource& r) const {
  const std::string name = r.group_resource();
  if ((name == kVolumeSnapshots || name == kVolumeSnapshotContents) && !named_somewhere(name)) return false;
  const bool is_namespaces = name == "namespaces";
  if (!newer_) {
    if (!r.namespaced && include_cluster_ == false) return false;
    if (!r.namespaced && !is_namespaces && !include_cluster_ && !every_namespace()) return false;
    return resources_.includes(name);
  }
  if (r.namespaced) return namespace_scoped_.includes(name);
  if (cluster_scoped_.excludes(name)) return false;
  if (!cluster_scoped_.any() && every_namespace() && namespace_scoped_.everything()) return true;
  return is_namespaces || (!cluster_scoped_.included.empty() && cluster_scoped_.includes(name));
}

bool ResourceFilter::excludes_kind(const ApiResource& r) const {
  const std::string name = r.group_resource();
  if (newer_) return (r.namespaced ? namespace_scoped_ : cluster_scoped_).excludes(name);
  if (resources_.excludes(name)) return true;
  if (r.namespaced) return false;
  return include_cluster_ == false || (!include_cluster_ && !resources_.includes(name));
}

bool ResourceFilter::admits(const ApiResource& r, const std::string& name_space) const {
  if (name_space.empty()) return r.group_resource() == "namespaces" || !excludes_kind(r);
  return includes_namespace(name_space) && collects(r);
}

}  // namespace holdfast::k8s
