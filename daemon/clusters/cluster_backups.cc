// Backups of clusters.
#include <algorithm>
#include <map>

#include "daemon/clusters/cluster_service.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

constexpr uint64_t kPieceBytes = 4 << 20;

RunStatus status_of(const k8s::RestorePoint& p) {
  RunStatus s;
  s.name = p.name;
  s.phase = p.phase;
  s.started = p.started;
  s.completed = p.completed;
  s.expires = p.expires;
  s.items = p.items;
  s.warnings = p.warnings;
  s.errors = p.errors;
  s.policy = p.policy;
  s.tier = p.tier;
  s.locked_until_ms = p.locked_until_ms;
  s.labels = p.labels;
  s.verified = p.verified;
  s.doubted = p.doubted;
  return s;
}

}  // namespace

// Nothing of a backup that did not come to its end is a restore point.
void LocalClusters::recover_backups(const ClusterStatus& cluster) {
  backups_.recover(cluster.name, [&](const std::string& name, const JobPlace& where) -> Result<bool> {
    const k8s::BackupPlace place = noted_place(cluster, where);
    if (k8s::restore_point_document(place, name)) return false;
    HF_CHECK(k8s::delete_leftovers(place, name));
    return true;
  });
}

Result<void> LocalClusters::start_backup(const std::string& cluster, const NewBackup& backup) {
  HF_CHECK(k8s::check_backup_name(backup.name));
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  k8s::BackupRun run;
  run.place = place_of(c.status);
  if (k8s::restore_point_document(run.place, backup.name)) {
    return error(Code::kAlreadyExists, "there is a backup \"" + backup.name + "\" of cluster \"" + cluster + "\"");
  }
  run.order.name = backup.name;
  run.order.name_space = c.status.name_space;
  run.order.spec = backup.spec;
  run.order.labels = backup.labels;
  run.order.annotations = backup.annotations;
  if (backup.by_velero) return start_backup_by_velero(c, std::move(run), backup.urgent);
  if (backup.kept_by_ttl) run.order.annotations[k8s::kKeptBy] = k8s::kKeptByTtl;
  run.order.annotations[k8s::kServerAnnotation] = server_id(cluster);
  HF_CHECK(line_up(backups_, c, engine(), std::move(run), backup.urgent));
  return {};
}

Result<void> LocalClusters::start_backup_by_velero(const RegisteredCluster& cluster, k8s::BackupRun run, bool urgent) {
  const std::string& name = cluster.status.name;
  const auto server = served(name);
  if (!server || server->server->status().role != "observing") {
    return error(Code::kFailedPrecondition, "Velero does not serve cluster \"" + name + "\"; without --by-velero Holdfast makes the backup itself");
  }
  run.by_other = [server](const k8s::BackupPlace& place, const k8s::BackupOrder& order, k8s::BackupProgress& progress, std::stop_token stop) {
    return server->server->back_up_by_other(place, order, progress, std::move(stop));
  };
  HF_CHECK(line_up(backups_, cluster, engine(), std::move(run), urgent));
  return {};
}

Result<std::vector<RunStatus>> LocalClusters::backups(const std::string& cluster) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  std::vector<RunStatus> out = backups_.of(cluster);
  std::map<std::string, size_t> jobs;
  for (size_t i = 0; i < out.size(); ++i) jobs.emplace(out[i].name, i);
  HF_TRY(const auto points, catalog_.list(place_of(c.status)));
  for (const k8s::RestorePoint& p : points) {
    // One that has just ended may still stand among those that run.
    const auto job = jobs.find(p.name);
    if (job == jobs.end()) out.push_back(status_of(p));
    else if (p.has_ended()) out[job->second] = status_of(p);
  }
  std::sort(out.begin(), out.end(), [](const RunStatus& a, const RunStatus& b) { return std::pair(a.started, a.name) < std::pair(b.started, b.name); });
  return out;
}

Result<RunStatus> LocalClusters::backup(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  const auto jobs = backups_.of(cluster);  // before the restore point: a job that ends in between has become one
  HF_TRY(const auto point, k8s::find_restore_point(place_of(c.status), name));
  if (point && point->has_ended()) return status_of(*point);
  for (const RunStatus& s : jobs) {
    if (s.name == name) return s;
  }
  if (point) return status_of(*point);
  return error(Code::kNotFound, "there is no backup \"" + name + "\" of cluster \"" + cluster + "\"");
}

Result<std::string> LocalClusters::backup_document(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::restore_point_document(place_of(c.status), name);
}

Result<std::string> LocalClusters::backup_log(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::restore_point_log(place_of(c.status), name);
}

Result<ArchivePiece> LocalClusters::backup_archive(const std::string& cluster, const std::string& name, uint64_t offset_bytes) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  const k8s::BackupPlace place = place_of(c.status);
  HF_CHECK(k8s::restore_point_document(place, name));
  HF_TRY(const auto reader, p_.objects->get(place.bucket, k8s::restore_point_key(place, name, name + ".tar.gz"), {}));
  ArchivePiece piece;
  piece.total_bytes = reader->info().size_bytes;
  piece.etag = reader->info().etag;
  if (offset_bytes > piece.total_bytes) return error(Code::kInvalidArgument, "the archive of backup \"" + name + "\" ends before byte " + std::to_string(offset_bytes));
  piece.bytes.resize(std::min(piece.total_bytes - offset_bytes, kPieceBytes));
  HF_CHECK(reader->read(offset_bytes, MutableByteSpan(reinterpret_cast<std::byte*>(piece.bytes.data()), piece.bytes.size())));
  return piece;
}

Result<void> LocalClusters::delete_backup(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  HF_TRY(const auto point, k8s::find_restore_point(place_of(c.status), name));
  if (point && point->locked_until_ms > p_.clock->wall_ms()) {
    return error(Code::kPermissionDenied, Subject::kLock, "backup \"" + name + "\" is locked until " + rfc3339(point->locked_until_ms));
  }
  HF_CHECK(release_point(*p_.settings, cluster, name));
  const auto server = served(cluster);
  if (server && server->server->status().role == "observing") {
    HF_CHECK(k8s::restore_point_document(place_of(c.status), name));
    return server->server->delete_by_other(name);
  }
  return k8s::delete_restore_point(place_of(c.status), name);
}

Result<void> LocalClusters::lock_backup(const std::string& cluster, const std::string& name, int64_t until_ms) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  // Velero writes the archive once more after velero-backup.json has said that it is Completed (pkg/controller/backup_finalizer_controller.go).
  if (backups_.before(cluster, name)) return error(Code::kUnavailable, "backup \"" + name + "\" has not ended yet");
  const k8s::BackupPlace place = place_of(c.status);
  const auto locked = k8s::lock_restore_point(place, name, until_ms);
  catalog_.forget(place, name);
  return locked;
}

}  // namespace holdfast
