// Servers behind the velero.io objects of clusters.
#include "daemon/clusters/cluster_service.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {
constexpr const char* kApplianceId = "appliance/id";
constexpr const char* kApplianceGeneration = "appliance/generation";
}  // namespace

Result<void> LocalClusters::begin_generation() {
  appliance_id_ = p_.settings->setting(kApplianceId).value_or("");
  if (appliance_id_.empty()) {
    std::array<std::byte, 8> bytes;
    p_.random->fill(bytes);
    appliance_id_ = "holdfast-" + hex(bytes);
    HF_CHECK(p_.settings->put_setting(kApplianceId, appliance_id_));
  }
  const std::string last = p_.settings->setting(kApplianceGeneration).value_or("0");
  const uint64_t generation = std::strtoull(last.c_str(), nullptr, 10) + 1;
  HF_CHECK(p_.settings->put_setting(kApplianceGeneration, std::to_string(generation)));
  generation_ = generation;
  return {};
}

void LocalClusters::serve(const RegisteredCluster& cluster) {
  if (!cluster.status.serve || generation_ == 0) return;
  auto served = std::make_shared<Served>();
  served->bridge = std::make_unique<VeleroBridge>(
      cluster, VeleroBridgeParts{&backups_, &restores_, p_.objects, p_.buckets, p_.users, engine(), p_.clock_is_sure, p_.face});
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
    if (!s) continue;
    const k8s::VeleroServerStatus status = s->server->status();
    c.role = status.role;
    c.role_reason = status.reason;
    c.alarm = status.alarm;
  }
  return all;
}

}  // namespace holdfast
