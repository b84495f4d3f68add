// Trials of restore points in registered clusters.
#pragma once

#include "daemon/clusters/registry.h"
#include "daemon/point_trials.h"
#include "storage/base/random.h"
#include "storage/object_store.h"

namespace holdfast {

struct ClusterTrialsParts {
  ObjectStore* objects = nullptr;
  SettingsStore* settings = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::string spool_directory;  // on local disk
};

// A trial is noted in the settings while something of it may be in a cluster.
class ClusterTrials final : public PointTrials {
 public:
  explicit ClusterTrials(ClusterTrialsParts parts) : p_(std::move(parts)), registry_(*p_.settings) {}

  Result<k8s::PointCheck> read_point(const std::string& cluster, const std::string& backup, std::stop_token stop) override;
  Result<k8s::TrialOutcome> try_point(const std::string& cluster, const std::string& backup, const VerificationRule& rule, k8s::TrialProgress& progress, std::stop_token stop) override;
  Result<k8s::PointEvidence> evidence(const std::string& cluster, const std::string& backup) override;
  Result<void> put_evidence(const std::string& cluster, const std::string& backup, const k8s::PointEvidence& evidence) override;
  Result<void> clean_up() override;

 private:
  k8s::BackupPlace place_of(const RegisteredCluster& cluster) const { return {p_.objects, cluster.status.bucket, cluster.status.prefix}; }

  const ClusterTrialsParts p_;
  ClusterRegistry registry_;
};

}  // namespace holdfast
