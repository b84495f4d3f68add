// Backups of clusters.
#include <algorithm>

#include "daemon/clusters/cluster_service.h"

namespace holdfast {

namespace {

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
  return s;
}

// What one backup needs while it waits and runs.
struct BackupTask {
  k8s::ClusterAccess access;
  k8s::BackupPlace place;
  k8s::BackupOrder order;
  k8s::EngineServices services;
  k8s::BackupProgress progress;

  JobEnd run(std::stop_token stop) {
    const k8s::BackupOutcome o = k8s::back_up(access, place, order, services, progress, std::move(stop));
    JobEnd end;
    end.status.phase = o.phase;
    end.status.failure_reason = o.failure_reason;
    end.status.items = o.items;
    end.status.warnings = o.warnings;
    end.status.errors = o.errors;
    end.status.validation_errors = o.validation_errors;
    end.recorded = o.phase == "Completed" || o.phase == "PartiallyFailed";
    return end;
  }
};

}  // namespace

// Nothing of a backup that did not come to its end is a restore point.
void LocalClusters::recover_backups(const ClusterStatus& cluster) {
  const k8s::BackupPlace place = place_of(cluster);
  backups_.recover(cluster.name, [&](const std::string& name) -> Result<bool> {
    if (k8s::restore_point_document(place, name)) return false;
    HF_CHECK(k8s::delete_leftovers(place, name));
    return true;
  });
}

Result<void> LocalClusters::start_backup(const std::string& cluster, const std::string& name, const std::string& spec) {
  HF_CHECK(k8s::check_backup_name(name));
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  auto task = std::make_shared<BackupTask>();
  task->access = c.access;
  task->place = place_of(c.status);
  task->services = {p_.clock, p_.random};
  if (k8s::restore_point_document(task->place, name)) {
    return error(Code::kAlreadyExists, "there is a backup \"" + name + "\" of cluster \"" + cluster + "\"");
  }
  task->order.name = name;
  task->order.name_space = c.status.name_space;
  task->order.spec = spec;
  task->order.annotations[k8s::kKeptBy] = k8s::kKeptByTtl;
  Job job;
  job.name = name;
  job.run = [task](std::stop_token stop) { return task->run(std::move(stop)); };
  job.show_progress = [task](RunStatus& s) { s.items = task->progress.items; };
  return backups_.start(cluster, std::move(job));
}

Result<std::vector<RunStatus>> LocalClusters::backups(const std::string& cluster) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  std::vector<RunStatus> out = backups_.of(cluster);
  HF_TRY(const auto points, k8s::list_restore_points(place_of(c.status)));
  for (const k8s::RestorePoint& p : points) {
    // One that has just ended may still stand among those that run.
    std::erase_if(out, [&](const RunStatus& job) { return job.name == p.name; });
    out.push_back(status_of(p));
  }
  std::sort(out.begin(), out.end(), [](const RunStatus& a, const RunStatus& b) { return std::pair(a.started, a.name) < std::pair(b.started, b.name); });
  return out;
}

Result<RunStatus> LocalClusters::backup(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  const auto jobs = backups_.of(cluster);  // before the restore point: a job that ends in between has become one
  HF_TRY(const auto point, k8s::find_restore_point(place_of(c.status), name));
  if (point) return status_of(*point);
  for (const RunStatus& s : jobs) {
    if (s.name == name) return s;
  }
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

Result<void> LocalClusters::delete_backup(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::delete_restore_point(place_of(c.status), name);
}

}  // namespace holdfast
