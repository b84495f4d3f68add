// Can this cluster be reached, and may we do there what backing it up takes?
#pragma once

#include "k8s/cluster_access.h"
#include "storage/base/clock.h"

namespace holdfast::k8s {

struct ClusterReport {
  std::string version;                      // "v1.36.3"
  size_t kinds = 0;                         // that can be listed
  std::vector<std::string> missing_groups;  // aggregated APIs that do not answer, with the reason
  std::vector<std::string> missing_for_backup;   // "list secrets", "get pods/exec"
  std::vector<std::string> missing_for_restore;  // "create *.*", "escalate clusterroles.rbac.authorization.k8s.io"
};

// Asks the API server itself (SelfSubjectAccessReview). kUnavailable, kPermissionDenied: not reached, or not let in.
Result<ClusterReport> check_cluster(const ClusterAccess& access, Clock& clock);

}  // namespace holdfast::k8s
