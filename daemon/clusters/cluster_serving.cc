// Servers behind the velero.io objects of clusters.
#include "daemon/clusters/cluster_service.h"
#include "daemon/identity.h"
#include "storage/base/log.h"

namespace holdfast {

void LocalClusters::set_active(bool active) {
  std::lock_guard lock(mutex_);
  const std::vector<ClusterStatus> all = registry_.all();
  if (!active) {
    generation_ = 0;
    for (const ClusterStatus& s : all) stop_serving(s.name);
    return;
  }
  const auto life = begin_life(*p_.settings);
  if (!life) {
    spdlog::error("velero.io objects are not served: {}", life.error().message());
    return;
  }
  generation_ = *life;
  for (const ClusterStatus& s : all) {
    if (const auto cluster = registry_.find(s.name)) serve(*cluster);
  }
}

void LocalClusters::serve(const RegisteredCluster& cluster) {
  if (!cluster.status.serve || generation_ == 0) return;
  auto served = std::make_shared<Served>();
  served->bridge = std::make_unique<VeleroBridge>(
      cluster, VeleroBridgeParts{&backups_, &restores_, p_.objects, p_.buckets, p_.users, engine(), [this, name = cluster.status.name](const std::string& backup) { return may_expire(name, backup); }, p_.face, p_.site_at});
  k8s::VeleroServerOptions options;
  options.appliance_id = server_id(cluster.status.name);
  options.generation = generation_;
  options.name_space = cluster.status.name_space;
  options.location = served->bridge->own_location();
  options.services = engine();
  options.spool_directory = p_.spool_directory;
  served->server = k8s::VeleroServer::start(cluster.access, std::move(options), *served->bridge);
  std::lock_guard lock(served_mutex_);
  served_[cluster.status.name] = std::move(served);
}

void LocalClusters::stop_serving(const std::string& name) {
  std::shared_ptr<Served> ending;  // takes a while, without the lock
  std::lock_guard lock(served_mutex_);
  if (const auto found = served_.find(name); found != served_.end()) {
    ending = std::move(found->second);
    served_.erase(found);
  }
}

std::shared_ptr<LocalClusters::Served> LocalClusters::served(const std::string& name) const {
  std::lock_guard lock(served_mutex_);
  const auto found = served_.find(name);
  return found == served_.end() ? nullptr : found->second;
}

std::vector<ClusterSchedule> LocalClusters::schedules() const {
  std::map<std::string, std::shared_ptr<Served>> all;
  {
    std::lock_guard lock(served_mutex_);
    all = served_;
  }
  std::vector<ClusterSchedule> out;
  for (const auto& [name, served] : all) {
    for (k8s::KnownSchedule& schedule : served->server->schedules()) out.push_back({name, std::move(schedule)});
  }
  return out;
}

void LocalClusters::wake_server(const std::string& name) {
  if (const auto s = served(name)) s->server->wake();
}

bool LocalClusters::is_serving(const std::string& name) const {
  const auto s = served(name);
  return s && s->server->status().role == "serving";
}

std::vector<ClusterStatus> LocalClusters::clusters() const {
  std::vector<ClusterStatus> all = registry_.all();
  for (ClusterStatus& c : all) {
    const auto s = served(c.name);
    if (!s && c.serve && generation_ == 0) {
      c.role = "starting";
      c.role_reason = "this appliance does not act";
    }
    if (!s) continue;
    const k8s::VeleroServerStatus status = s->server->status();
    c.role = status.role;
    c.role_reason = status.reason;
    c.alarm = status.alarm;
  }
  return all;
}

}  // namespace holdfast
