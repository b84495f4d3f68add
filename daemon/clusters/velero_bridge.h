// What the server behind a cluster's velero.io objects gets of this appliance.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "daemon/clusters/cluster_runs.h"
#include "storage/remote_store.h"

namespace holdfast {

// How this appliance's S3 endpoint is reached from outside.
struct S3Face {
  std::string url;     // https://host:port
  std::string region;
  std::string ca_pem;  // that vouches for it; empty without TLS
};

struct VeleroBridgeParts {
  JobLines* backups = nullptr;
  JobLines* restores = nullptr;
  ObjectStore* objects = nullptr;
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  k8s::EngineServices engine;
  std::function<bool(const std::string& backup)> may_expire;
  S3Face face;
  // A registered site with that endpoint, of several the one with that bucket; nothing: there is none.
  std::function<std::optional<RemotePlace>(const std::string& url, const std::string& bucket)> site_at;
};

// Thread-safe.
class VeleroBridge final : public k8s::VeleroAppliance {
 public:
  VeleroBridge(RegisteredCluster cluster, VeleroBridgeParts parts) : cluster_(std::move(cluster)), p_(std::move(parts)) {}

  Result<std::shared_ptr<const k8s::BackupProgress>> start_backup(k8s::BackupRun run) override { return line_up(*p_.backups, cluster_, p_.engine, std::move(run)); }
  Result<std::shared_ptr<const k8s::RestoreProgress>> start_restore(k8s::RestoreRun run) override { return line_up(*p_.restores, cluster_, p_.engine, std::move(run)); }
  std::optional<size_t> backups_before(const std::string& name) const override { return p_.backups->before(cluster_.status.name, name); }
  bool is_restoring(const std::string& name) const override { return p_.restores->before(cluster_.status.name, name).has_value(); }
  Result<k8s::GrantedLocation> grant(const k8s::LocationClaim& claim) const override;
  Result<std::string> download_url(const k8s::BackupPlace& place, const std::string& key, std::chrono::seconds lifetime) const override;
  bool may_expire(const std::string& backup) const override { return p_.may_expire(backup); }

  k8s::OwnLocation own_location() const;
  // Ends what goes to other servers, and begins nothing there any more.
  void stop_elsewhere();

 private:
  // A bucket of a site, by the location's own credential.
  Result<k8s::GrantedLocation> grant_elsewhere(const k8s::LocationClaim& claim) const;

  const RegisteredCluster cluster_;
  const VeleroBridgeParts p_;
  struct Elsewhere {
    std::shared_ptr<RemoteStore> store;
    std::shared_ptr<ObjectStore> objects;
  };
  mutable std::mutex mutex_;
  bool stopped_ = false;
  mutable std::map<std::string, Elsewhere> elsewhere_;  // by endpoint, bucket and access key
};

}  // namespace holdfast
