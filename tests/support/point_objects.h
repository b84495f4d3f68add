// The objects of restore points that simulated clusters have, for what copies them: a document and an archive each.
#pragma once

#include "daemon/services.h"
#include "storage/object_store.h"
#include "tests/support/scheduler_world.h"

namespace holdfast::test {

inline const std::string kPointsPrefix = "clusters/c/";

// What "velero-backup.json" and the archive of a point hold.
std::string point_body(const std::string& key);

// Read-only: the other calls fail.
class PointObjects final : public ObjectStore {
 public:
  explicit PointObjects(SimulatedClusters& clusters) : clusters_(clusters) {}

  Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key, const VersionRef& version) override;
  Result<ListPage> list(const std::string& bucket, ListQuery query) override;

  Result<std::unique_ptr<BodySink>> open_body(const std::string&, uint64_t) override { return no(); }
  Result<ObjectInfo> put(PutRequest, std::unique_ptr<BodySink>) override { return no(); }
  Result<std::vector<Result<RemoveResult>>> remove(const std::string&, std::vector<RemoveRequest>) override { return no(); }
  Result<ObjectInfo> change_attributes(const std::string&, const std::string&, const VersionRef&, AttributeChange) override { return no(); }
  Result<Upload> create_upload(UploadRequest) override { return no(); }
  Result<PartInfo> put_part(const std::string&, const std::string&, const std::string&, PartInfo, std::unique_ptr<BodySink>) override { return no(); }
  Result<ObjectInfo> complete_upload(CompleteRequest) override { return no(); }
  Result<Upload> upload(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<void> abort_upload(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<UploadPage> list_uploads(const std::string&, UploadQuery) override { return no(); }
  Result<PartsPage> list_parts(const std::string&, const std::string&, const std::string&, uint32_t, uint32_t) override { return no(); }

 private:
  static std::unexpected<Status> no() { return error(Code::kUnimplemented, "not in this test"); }
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
