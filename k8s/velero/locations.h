// BackupStorageLocations as places of this appliance.
#pragma once

#include "k8s/velero/server_context.h"

namespace holdfast::k8s {

struct Location {
  std::string name;
  BackupPlace place;
  bool read_only = false;
};

// Thread-safe.
class Locations {
 public:
  explicit Locations(const ServerContext& context) : c_(context) {}

  // Whose credential is checked anew. kNotFound: no such object; kFailedPrecondition, with the reason: not usable.
  Result<Location> find(const std::string& name) const;
  // The one for backups that name none: the one marked as default, or "default".
  std::string default_name() const;
  // Where a restore point of the cluster lies: the location of its Backup object.
  Result<Location> of_backup(const std::string& backup) const;

 private:
  Result<void> read_credential(const json::object& spec, LocationClaim& claim) const;
  const ServerContext& c_;
};

}  // namespace holdfast::k8s
