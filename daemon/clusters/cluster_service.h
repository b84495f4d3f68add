// Clusters and their backups behind services.h.
#pragma once

#include "daemon/clusters/expiry.h"
#include "daemon/clusters/velero_bridge.h"
#include "daemon/holds.h"
#include "k8s/restore_point_catalog.h"
#include "storage/object_store.h"

namespace holdfast {

struct ClusterServiceParts {
  ObjectStore* objects = nullptr;
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  SettingsStore* settings = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::string appliance_id;
  std::function<bool()> may_remove;     // false: nothing expires
  std::function<void()> on_backup_end;  // also of one that was not made
  std::string spool_directory;          // on local disk, for archives that are being restored
  S3Face face;
  // A copy of a restore point at a site, to be read.
  std::function<Result<std::shared_ptr<ObjectStore>>(const std::string& site, const std::string& cluster, const std::string& backup)> open_copy = {};
  // As VeleroBridgeParts.
  std::function<std::optional<RemotePlace>(const std::string& url, const std::string& bucket)> site_at = {};
};

class LocalClusters final : public ClusterService {
 public:
  explicit LocalClusters(ClusterServiceParts parts);

  ~LocalClusters() override;

  // Once, before the service is used: see JobLines::recover(). Then restore points expire.
  void start();
  // Only an appliance that acts serves velero.io objects. Blocks until that has begun or ended.
  void set_active(bool active);

  Result<ClusterFindings> add_cluster(const NewCluster& cluster) override;
  std::vector<ClusterStatus> clusters() const override;
  std::vector<ClusterSchedule> schedules() const override;
  Result<ClusterFindings> check_cluster(const std::string& name) override;
  Result<void> remove_cluster(const std::string& name) override;

  Result<void> start_backup(const std::string& cluster, const NewBackup& backup) override;
  Result<std::vector<RunStatus>> backups(const std::string& cluster) override;
  Result<RunStatus> backup(const std::string& cluster, const std::string& name) override;
  Result<std::string> backup_document(const std::string& cluster, const std::string& name) override;
  Result<std::string> backup_log(const std::string& cluster, const std::string& name) override;
  Result<ArchivePiece> backup_archive(const std::string& cluster, const std::string& name, uint64_t offset_bytes) override;
  Result<void> delete_backup(const std::string& cluster, const std::string& name) override;
  Result<void> lock_backup(const std::string& cluster, const std::string& name, int64_t until_ms) override;
  void cancel_backup(const std::string& cluster, const std::string& name) override { backups_.cancel(cluster, name); }

  Result<void> start_restore(const std::string& cluster, const NewRestore& restore) override;
  Result<std::vector<RunStatus>> restores(const std::string& cluster) override;
  Result<RunStatus> restore(const std::string& cluster, const std::string& name) override;
  Result<std::string> restore_document(const std::string& cluster, const std::string& name) override;
  Result<std::string> restore_log(const std::string& cluster, const std::string& name) override;
  Result<void> delete_restore(const std::string& cluster, const std::string& name) override;

 private:
  Result<void> start_backup_by_velero(const RegisteredCluster& cluster, k8s::BackupRun run, bool urgent);
  ClusterFindings findings(const k8s::ClusterAccess& access);
  Result<void> make_bucket(const std::string& bucket);
  Result<std::string> make_user(const ClusterStatus& status);
  // Where a restore reads from.
  Result<k8s::BackupPlace> source_of(const std::string& cluster, const NewRestore& restore, k8s::RestoreRun& run);
  void recover_backups(const ClusterStatus& cluster);
  void recover_restores(const ClusterStatus& cluster);
  k8s::BackupPlace place_of(const ClusterStatus& status) const { return {p_.objects, status.bucket, status.prefix}; }
  // Where a job was writing when the daemon was killed.
  k8s::BackupPlace noted_place(const ClusterStatus& cluster, const JobPlace& where) const {
    return where.bucket.empty() ? place_of(cluster) : k8s::BackupPlace{p_.objects, where.bucket, where.prefix};
  }
  k8s::EngineServices engine() const { return {p_.clock, p_.random}; }

  // The server behind the velero.io objects of one cluster.
  struct Served {
    std::unique_ptr<VeleroBridge> bridge;
    std::unique_ptr<k8s::VeleroServer> server;  // ends before the bridge that it uses
  };
  void serve(const RegisteredCluster& cluster);
  void stop_serving(const std::string& name);
  void wake_server(const std::string& name);
  std::shared_ptr<Served> served(const std::string& name) const;  // nullptr: not served
  bool is_serving(const std::string& name) const;
  bool may_expire(const std::string& cluster, const std::string& backup) const { return p_.may_remove() && why_held(*p_.settings, cluster, backup).empty(); }
  // Of its server; one cluster may be registered under two names.
  std::string server_id(const std::string& cluster) const { return p_.appliance_id + "/" + cluster; }

  const ClusterServiceParts p_;
  ClusterRegistry registry_;
  k8s::RestorePointCatalog catalog_;
  std::atomic<uint64_t> generation_{0};  // 0: this appliance does not act
  // Before what looks there until its end.
  mutable std::mutex served_mutex_;
  std::map<std::string, std::shared_ptr<Served>> served_;
  Expiry expiry_;
  JobLines backups_, restores_;
  std::mutex mutex_;  // one registration, or change of what this appliance does, at a time
};

}  // namespace holdfast
