// Restores of clusters.
#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "daemon/clusters/cluster_service.h"
#include "k8s/restore_engine.h"

namespace holdfast {

namespace {

RunStatus status_of(const k8s::RestoreRecord& r) {
  RunStatus s;
  s.name = r.name;
  s.backup = r.backup;
  s.phase = r.phase;
  s.started = r.started;
  s.completed = r.completed;
  s.failure_reason = r.failure_reason;
  s.items = r.items;
  s.total = r.total;
  s.warnings = r.warnings;
  s.errors = r.errors;
  return s;
}

}  // namespace

void LocalClusters::recover_restores(const ClusterStatus& cluster) {
  restores_.recover(cluster.name, [&](const std::string& name, const JobPlace& where) -> Result<bool> {
    HF_CHECK(k8s::record_broken_restore(noted_place(cluster, where), name, kDaemonEnded, *p_.clock));
    return false;  // the record shows it
  });
}

Result<k8s::BackupPlace> LocalClusters::source_of(const std::string& cluster, const NewRestore& restore, k8s::RestoreRun& run) {
  const std::string name = restore.from_cluster.empty() ? cluster : restore.from_cluster;
  if (restore.from_site.empty()) {
    HF_TRY(const RegisteredCluster source, registry_.find(name));
    return place_of(source.status);
  }
  boost::system::error_code ec;
  const boost::json::value spec = boost::json::parse(restore.spec, ec);
  const boost::json::value* backup = ec || !spec.is_object() ? nullptr : spec.get_object().if_contains("backupName");
  if (backup == nullptr || !backup->is_string() || backup->get_string().empty()) return error(Code::kInvalidArgument, "a restore from a site names its backup: spec.backupName");
  HF_TRY(const auto copy, p_.open_copy(restore.from_site, name, std::string(backup->get_string())));
  run.end = [copy](const k8s::RestoreOutcome&) {};  // it is open for as long as the run is there
  return k8s::BackupPlace{copy.get(), "", "clusters/" + name + "/"};
}

Result<void> LocalClusters::start_restore(const std::string& cluster, const NewRestore& restore) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  k8s::RestoreRun run;
  run.place = place_of(c.status);
  HF_CHECK(k8s::check_restore_name(run.place, restore.name));
  run.order.name = restore.name;
  run.order.name_space = c.status.name_space;
  run.order.spec = restore.spec;
  HF_TRY(run.order.source, source_of(cluster, restore, run));
  run.order.spool_directory = p_.spool_directory;
  run.order.plan = restore.plan;
  run.order.refuse_incomplete = !restore.partial;
  run.order.namespace_timeout = std::chrono::seconds(restore.namespace_timeout_s);
  HF_CHECK(line_up(restores_, c, engine(), std::move(run)));
  return {};
}

Result<std::vector<RunStatus>> LocalClusters::restores(const std::string& cluster) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  std::vector<RunStatus> out = restores_.of(cluster);
  std::set<std::string> jobs;
  for (const RunStatus& job : out) jobs.insert(job.name);
  HF_TRY(const auto records, k8s::list_restores(place_of(c.status)));
  for (const k8s::RestoreRecord& r : records) {
    if (!jobs.contains(r.name)) out.push_back(status_of(r));
  }
  std::erase_if(out, [](const RunStatus& s) { return s.planned; });
  std::sort(out.begin(), out.end(), [](const RunStatus& a, const RunStatus& b) { return std::pair(a.started, a.name) < std::pair(b.started, b.name); });
  return out;
}

Result<RunStatus> LocalClusters::restore(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  for (RunStatus& s : restores_.of(cluster)) {
    if (s.name == name) return std::move(s);
  }
  HF_TRY(const auto record, k8s::find_restore(place_of(c.status), name));
  if (record) return status_of(*record);
  return error(Code::kNotFound, "there is no restore \"" + name + "\" of cluster \"" + cluster + "\"");
}

Result<std::string> LocalClusters::restore_document(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::restore_document(place_of(c.status), name);
}

Result<std::string> LocalClusters::restore_log(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  return k8s::restore_log(place_of(c.status), name);
}

Result<void> LocalClusters::delete_restore(const std::string& cluster, const std::string& name) {
  HF_TRY(const RegisteredCluster c, registry_.find(cluster));
  for (const RunStatus& s : restores_.of(cluster)) {
    if (s.name == name && (s.phase == "Queued" || s.phase == "InProgress")) return error(Code::kFailedPrecondition, "restore \"" + name + "\" is running");
  }
  restores_.forget(cluster, name);
  return k8s::delete_restore(place_of(c.status), name);
}

}  // namespace holdfast
