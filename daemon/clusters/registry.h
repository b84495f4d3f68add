// The clusters that this appliance serves, as settings in the pool's log.
#pragma once

#include <optional>

#include "daemon/services.h"
#include "k8s/cluster_access.h"

namespace holdfast {

struct RegisteredCluster {
  ClusterStatus status;
  k8s::ClusterAccess access;
};

// Thread-safe.
class ClusterRegistry {
 public:
  explicit ClusterRegistry(SettingsStore& settings) : settings_(settings) {}

  std::vector<ClusterStatus> all() const;
  // kNotFound.
  Result<RegisteredCluster> find(const std::string& name) const;
  Result<void> put(const RegisteredCluster& cluster);
  Result<void> remove(const std::string& name);

 private:
  SettingsStore& settings_;
};

}  // namespace holdfast
