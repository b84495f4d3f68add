// BackupStorageLocations: are they usable, and which of them is the default?
#pragma once

#include "k8s/velero/locations.h"
#include "k8s/velero/other_writers.h"
#include "k8s/velero/ownership.h"

namespace holdfast::k8s {

class LocationController final : public Controller {
 public:
  LocationController(const ServerContext& context, const Locations& locations, const OtherWriters& others) : c_(context), locations_(locations), others_(others) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  // Of several that are marked as default the youngest stays so.
  Result<void> keep_one_default() const;
  // What makes it unusable; and, of one that can be used, what is odd about it.
  struct Verdict {
    std::string problem, warning;
  };
  Verdict judge(const std::string& name, const json::object& object) const;

  const ServerContext& c_;
  const Locations& locations_;
  const OtherWriters& others_;
};

// Every so often by their backupSyncPeriod, and when something has ended: restore points that have no Backup object get
// one, and Backup objects whose restore point is gone go, too.
class BackupSync final : public Controller {
 public:
  BackupSync(const ServerContext& context, const Locations& locations, const Ownership& ownership, OtherWriters& others)
      : c_(context), locations_(locations), ownership_(ownership), others_(others) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  Result<void> add_missing(const Location& location, const std::vector<std::string>& stored) const;
  Result<void> add_one(const Location& location, const std::string& name) const;
  Result<void> remove_orphans(const Location& location, const std::vector<std::string>& stored) const;
  Result<void> look_for_others(const Location& location, const std::vector<std::string>& stored);

  const ServerContext& c_;
  const Locations& locations_;
  const Ownership& ownership_;
  OtherWriters& others_;
};

// Is it the cluster's own one?
bool is_own(const BackupPlace& place, const ServerContext& context);
bool is_available(const json::object& location);
// How long until its bucket is to be looked at again, by its backupSyncPeriod; nothing: never by itself.
LookAgain until_sync(const json::object& location, int64_t now_ms);

}  // namespace holdfast::k8s
