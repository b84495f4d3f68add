// The registered clusters as what makes the backups of policies.
#pragma once

#include "daemon/scheduler/backup_maker.h"
#include "daemon/services.h"

namespace holdfast {

// Where Velero serves a cluster, it makes them: a Backup object asks for each.
class ClusterBackupMaker final : public BackupMaker {
 public:
  explicit ClusterBackupMaker(ClusterService& clusters) : clusters_(clusters) {}

  Result<void> begin(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) override;
  Result<BackupLook> look(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) override;
  void cancel(const std::string& cluster, const std::string& backup) override { clusters_.cancel_backup(cluster, backup); }
  Result<std::vector<OwnedPoint>> points(const std::string& cluster) override;
  Result<void> lock_point(const std::string& cluster, const std::string& backup, int64_t until_ms) override { return clusters_.lock_backup(cluster, backup, until_ms); }
  Result<void> remove_point(const std::string& cluster, const std::string& backup) override { return clusters_.delete_backup(cluster, backup); }

 private:
  // "serving", "observing", or empty where nobody was asked to serve. kUnavailable: it is not known yet.
  Result<std::string> role_of(const std::string& cluster) const;

  ClusterService& clusters_;
};

}  // namespace holdfast
