#include "daemon/clusters/cluster_service.h"

#include <algorithm>

#include "k8s/cluster_check.h"
#include "storage/base/access_keys.h"
#include "storage/base/log.h"
#include "storage/base/names.h"

namespace holdfast {

LocalClusters::LocalClusters(ClusterServiceParts parts)
    : p_(std::move(parts)), registry_(*p_.settings),
      expiry_(registry_, [this](const ClusterStatus& s) { return place_of(s); }, [this](const std::string& name) { return is_serving(name); }, *p_.clock,
              [this](const std::string& cluster, const std::string& backup) { return may_expire(cluster, backup); }),
      backups_("backup", *p_.clock, *p_.settings,
               [this](const std::string& cluster) {
                 expiry_.wake();
                 wake_server(cluster);
                 if (p_.on_backup_end) p_.on_backup_end();
               }),
      restores_("restore", *p_.clock, *p_.settings, [](const std::string&) {}) {}

LocalClusters::~LocalClusters() {
  {
    std::lock_guard lock(served_mutex_);
    for (const auto& [name, served] : served_) served->bridge->stop_elsewhere();
  }
  // Their ends are still told to the servers.
  backups_.stop();
  restores_.stop();
  std::map<std::string, std::shared_ptr<Served>> ending;
  {
    std::lock_guard lock(served_mutex_);
    ending.swap(served_);
  }
  // All at once: each takes a while.
  std::vector<std::jthread> threads;
  for (auto& [name, served] : ending) threads.emplace_back([&served] { served.reset(); });
}

void LocalClusters::start() {
  const std::vector<ClusterStatus> all = registry_.all();
  for (const ClusterStatus& s : all) {
    recover_backups(s);
    recover_restores(s);
  }
  expiry_.start();
}

ClusterFindings LocalClusters::findings(const k8s::ClusterAccess& access) {
  ClusterFindings f;
  auto report = k8s::check_cluster(access, *p_.clock);
  if (!report) {
    f.problem = report.error().message();
    return f;
  }
  f.reachable = true;
  f.version = report->version;
  f.kinds = report->kinds;
  f.missing_groups = std::move(report->missing_groups);
  f.missing_for_backup = std::move(report->missing_for_backup);
  f.missing_for_restore = std::move(report->missing_for_restore);
  return f;
}

Result<void> LocalClusters::make_bucket(const std::string& bucket) {
  if (p_.buckets->bucket(bucket)) return {};
  Bucket wanted;
  wanted.name = bucket;
  HF_CHECK(p_.buckets->create_bucket(std::move(wanted), ""));
  return {};
}

// The key with which Velero and its like reach this cluster's part of the bucket, and nothing else.
Result<std::string> LocalClusters::make_user(const ClusterStatus& status) {
  User user;
  user.access_key = new_access_key(*p_.random);
  user.secret = new_secret_key(*p_.random);
  user.name = "cluster " + status.name;
  user.scopes = {status.bucket + "/" + status.prefix};
  HF_CHECK(p_.users->put_user(user));
  return user.access_key;
}

Result<ClusterFindings> LocalClusters::add_cluster(const NewCluster& cluster) {
  if (!is_dns_label(cluster.name)) {
    return error(Code::kInvalidArgument, "\"" + cluster.name + "\" is no name of a cluster: lower case letters, digits and '-', 63 at most");
  }
  if (!is_dns_label(cluster.name_space)) return error(Code::kInvalidArgument, "\"" + cluster.name_space + "\" is no name of a namespace");
  HF_CHECK(check_bucket_name(cluster.bucket));
  std::lock_guard lock(mutex_);
  if (registry_.find(cluster.name)) return error(Code::kAlreadyExists, "there is a cluster \"" + cluster.name + "\"; remove it first");
  RegisteredCluster made;
  HF_TRY(made.access, k8s::parse_kubeconfig(cluster.kubeconfig, cluster.context, k8s::files_beside(cluster.kubeconfig_directory + "/")));
  ClusterFindings found = findings(made.access);
  if (!found.reachable) return error(Code::kFailedPrecondition, "cluster \"" + cluster.name + "\": " + found.problem);
  ClusterStatus& s = made.status;
  s.name = cluster.name;
  s.server = made.access.server;
  s.name_space = cluster.name_space;
  s.bucket = cluster.bucket;
  s.prefix = "clusters/" + cluster.name + "/";
  s.serve = cluster.serve;
  s.added_ms = p_.clock->wall_ms();
  HF_CHECK(make_bucket(s.bucket));
  HF_TRY(s.access_key, make_user(s));
  if (auto put = registry_.put(made); !put) {
    (void)p_.users->remove_user(s.access_key);
    return std::unexpected(put.error());
  }
  serve(made);
  return found;
}

Result<ClusterFindings> LocalClusters::check_cluster(const std::string& name) {
  HF_TRY(const RegisteredCluster cluster, registry_.find(name));
  return findings(cluster.access);
}

Result<void> LocalClusters::remove_cluster(const std::string& name) {
  std::lock_guard lock(mutex_);
  HF_TRY(const RegisteredCluster cluster, registry_.find(name));
  if (!backups_.idle(name)) return error(Code::kFailedPrecondition, "a backup of cluster \"" + name + "\" is running");
  if (!restores_.idle(name)) return error(Code::kFailedPrecondition, "a restore of cluster \"" + name + "\" is running");
  stop_serving(name);
  if (!backups_.idle(name) || !restores_.idle(name)) {
    serve(cluster);
    return error(Code::kFailedPrecondition, "cluster \"" + name + "\" has just asked for a backup or a restore");
  }
  // Without a server nobody would let them go. A cluster that is gone has none.
  if (cluster.status.serve) {
    if (auto released = k8s::release_restores(cluster.access, cluster.status.name_space, *p_.clock); !released) {
      spdlog::warn("cluster {}: its Restore objects keep the finalizer {}: {}", name, k8s::kRestoreFinalizer, released.error().message());
    }
  }
  HF_CHECK(registry_.remove(name));
  catalog_.forget(place_of(cluster.status));
  backups_.forget(name);
  restores_.forget(name);
  auto removed = p_.users->remove_user(cluster.status.access_key);
  if (!removed && removed.error().code() != Code::kNotFound) return removed;
  return {};
}

}  // namespace holdfast
