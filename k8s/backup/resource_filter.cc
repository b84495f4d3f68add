#include "k8s/backup/resource_filter.h"

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

// Snapshots are made and taken along by the volume movers, not found by listing.
constexpr const char* kVolumeSnapshots = "volumesnapshots.snapshot.storage.k8s.io";
constexpr const char* kVolumeSnapshotContents = "volumesnapshotcontents.snapshot.storage.k8s.io";

enum class Scope { kAny, kCluster, kNamespaced };

std::vector<std::string> resolved(const std::vector<std::string>& names, const Discovery& discovery, Scope scope) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const ApiResource* r = discovery.find(name);
    if (r == nullptr) {
      out.push_back(name);  // a pattern, or nothing; then it matches nothing, instead of everything
    } else if (scope == Scope::kAny || r->namespaced == (scope == Scope::kNamespaced)) {
      out.push_back(r->group_resource());
    }
  }
  return out;
}

// Without the snapshots, which stay out by themselves: an exclusion of theirs says nothing about the rest.
NameLists resolved(const NameLists& lists, const Discovery& discovery, Scope scope) {
  NameLists out{resolved(lists.included, discovery, scope), resolved(lists.excluded, discovery, scope)};
  std::erase_if(out.excluded, [](const std::string& name) { return name == kVolumeSnapshots || name == kVolumeSnapshotContents; });
  return out;
}

bool everything(const NameLists& lists) {
  return lists.excluded.empty() && (lists.included.empty() || (lists.included.size() == 1 && lists.included.front() == "*"));
}

}  // namespace

ResourceFilter::ResourceFilter(const BackupSpec& spec, const Discovery& discovery, std::vector<std::string> namespaces,
                               const std::vector<std::string>& exempt)
    : namespaces_(spec.namespaces), include_cluster_(spec.include_cluster_resources), newer_(spec.newer_filters()) {
  namespaces_.excluded.insert(namespaces_.excluded.end(), exempt.begin(), exempt.end());
  std::vector<std::string> wanted = namespaces_.included;
  std::sort(wanted.begin(), wanted.end());
  std::sort(namespaces.begin(), namespaces.end());
  every_namespace_ = everything(namespaces_) || (namespaces_.excluded.empty() && wanted == namespaces);
  resources_ = resolved(spec.resources, discovery, Scope::kAny);
  cluster_scoped_ = resolved(spec.cluster_scoped, discovery, Scope::kCluster);
  namespace_scoped_ = resolved(spec.namespace_scoped, discovery, Scope::kNamespaced);
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
  if (!cluster_scoped_.any() && every_namespace() && everything(namespace_scoped_)) return true;
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
