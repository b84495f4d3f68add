// Which resources and objects a backup takes, as Velero decides it.
#pragma once

#include "k8s/spec/backup_spec.h"
#include "k8s/client/discovery.h"

namespace holdfast::k8s {

// Immutable once made.
class ResourceFilter {
 public:
  // Names in the spec are resolved by discovery ("deploy" is "deployments.apps"). `namespaces`: all that there are;
  // `exempt`: those labelled to be left out.
  ResourceFilter(const BackupSpec& spec, const Discovery& discovery, std::vector<std::string> namespaces, const std::vector<std::string>& exempt);

  // Are objects of this kind looked for?
  bool collects(const ApiResource& resource) const;
  // May an object of it come along because another one refers to it?
  bool admits(const ApiResource& resource, const std::string& name_space) const;
  bool includes_namespace(const std::string& name) const { return namespaces_.includes(name); }
  // All namespaces, none left out; be it that each is named.
  bool every_namespace() const { return every_namespace_; }
  const std::vector<std::string>& wanted_namespaces() const { return namespaces_.included; }

 private:
  bool excludes_kind(const ApiResource& resource) const;
  bool named_somewhere(const std::string& name) const;

  NameLists namespaces_, resources_, cluster_scoped_, namespace_scoped_;
  std::optional<bool> include_cluster_;
  bool newer_;
  bool every_namespace_;
};

}  // namespace holdfast::k8s
