// The objects of restore points that simulated clusters have, for what copies them: a document and an archive each.
#pragma once

#include "daemon/services.h"
#include "storage/read_only_objects.h"
#include "tests/support/scheduler_world.h"

namespace holdfast::test {

inline const std::string kPointsPrefix = "clusters/c/";

// What "velero-backup.json" and the archive of a point hold.
std::string point_body(const std::string& key);

class PointObjects final : public ReadOnlyObjects {
 public:
  explicit PointObjects(SimulatedClusters& clusters) : ReadOnlyObjects("not in this test"), clusters_(clusters) {}

  Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key, const VersionRef& version) override;
  Result<ListPage> list(const std::string& bucket, ListQuery query) override;

 private:
  // Of the points under this prefix.
  std::vector<std::string> keys(const std::string& prefix) const;
  SimulatedClusters& clusters_;
};

// One cluster "c", whose restore points are those of the simulated one.
class PointClusters final : public ClusterService {
 public:
  explicit PointClusters(SimulatedClusters& clusters) : clusters_(clusters) {}

  std::vector<ClusterStatus> clusters() const override;
  Result<std::vector<RunStatus>> backups(const std::string& cluster) override;
  Result<RunStatus> backup(const std::string& cluster, const std::string& name) override;

  Result<ClusterFindings> add_cluster(const NewCluster&) override { return no(); }
  std::vector<ClusterSchedule> schedules() const override { return {}; }
  Result<ClusterFindings> check_cluster(const std::string&) override { return no(); }
  Result<void> remove_cluster(const std::string&) override { return no(); }
  Result<void> start_backup(const std::string&, const NewBackup&) override { return no(); }
  Result<std::string> backup_document(const std::string&, const std::string&) override { return no(); }
  Result<std::string> backup_log(const std::string&, const std::string&) override { return no(); }
  Result<ArchivePiece> backup_archive(const std::string&, const std::string&, uint64_t) override { return no(); }
  Result<void> delete_backup(const std::string&, const std::string&) override { return no(); }
  Result<void> lock_backup(const std::string&, const std::string&, int64_t) override { return no(); }
  void cancel_backup(const std::string&, const std::string&) override {}
  Result<void> start_restore(const std::string&, const NewRestore&) override { return no(); }
  Result<std::vector<RunStatus>> restores(const std::string&) override { return no(); }
  Result<RunStatus> restore(const std::string&, const std::string&) override { return no(); }
  Result<std::string> restore_document(const std::string&, const std::string&) override { return no(); }
  Result<std::string> restore_log(const std::string&, const std::string&) override { return no(); }
  Result<void> delete_restore(const std::string&, const std::string&) override { return no(); }

 private:
  static std::unexpected<Status> no() { return error(Code::kUnimplemented, "not in this test"); }
  SimulatedClusters& clusters_;
};

}  // namespace holdfast::test
