// Clusters and their backups behind services.h.
#pragma once

#include "daemon/clusters/expiry.h"
#include "daemon/clusters/job_lines.h"
#include "daemon/clusters/registry.h"
#include "storage/object_store.h"

namespace holdfast {

struct ClusterServiceParts {
  ObjectStore* objects = nullptr;
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  SettingsStore* settings = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::function<bool()> clock_is_sure;  // false: nothing expires
  std::string spool_directory;          // on local disk, for archives that are being restored
};

class LocalClusters final : public ClusterService {
 public:
  explicit LocalClusters(ClusterServiceParts parts);

  // Once, before the service is used: see JobLines::recover(). Then restore points expire.
  void start();

  Result<ClusterFindings> add_cluster(const NewCluster& cluster) override;
  std::vector<ClusterStatus> clusters() const override { return registry_.all(); }
  Result<ClusterFindings> check_cluster(const std::string& name) override;
  Result<void> remove_cluster(const std::string& name) override;

  Result<void> start_backup(const std::string& cluster, const std::string& name, const std::string& spec) override;
  Result<std::vector<RunStatus>> backups(const std::string& cluster) override;
  Result<RunStatus> backup(const std::string& cluster, const std::string& name) override;
  Result<std::string> backup_document(const std::string& cluster, const std::string& name) override;
  Result<std::string> backup_log(const std::string& cluster, const std::string& name) override;
  Result<void> delete_backup(const std::string& cluster, const std::string& name) override;

  Result<void> start_restore(const std::string& cluster, const NewRestore& restore) override;
  Result<std::vector<RunStatus>> restores(const std::string& cluster) override;
  Result<RunStatus> restore(const std::string& cluster, const std::string& name) override;
  Result<std::string> restore_document(const std::string& cluster, const std::string& name) override;
  Result<std::string> restore_log(const std::string& cluster, const std::string& name) override;
  Result<void> delete_restore(const std::string& cluster, const std::string& name) override;

 private:
  ClusterFindings findings(const k8s::ClusterAccess& access);
  Result<void> make_bucket(const std::string& bucket);
  Result<std::string> make_user(const ClusterStatus& status);
  void recover_backups(const ClusterStatus& cluster);
  void recover_restores(const ClusterStatus& cluster);
  k8s::BackupPlace place_of(const ClusterStatus& status) const { return {p_.objects, status.bucket, status.prefix}; }

  const ClusterServiceParts p_;
  ClusterRegistry registry_;
  Expiry expiry_;
  JobLines backups_, restores_;
  std::mutex mutex_;  // one registration at a time
};

}  // namespace holdfast
