// The restore points of clusters, remembered: what has not changed since it was looked at is not read again.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

// Thread-safe. Of each restore point some hundred bytes are kept.
class RestorePointCatalog {
 public:
  // What list_restore_points() gives: as the bucket has it at the time of the call. Several calls for one place share the work.
  Result<std::vector<RestorePoint>> list(const BackupPlace& place);
  void forget(const BackupPlace& place);
  // One of them was locked, which does not make another version of it.
  void forget(const BackupPlace& place, const std::string& name);

 private:
  // Which versions of its two documents it was made of; 0: there was none.
  struct Versions {
    VersionSeq document = 0, evidence = 0;
    auto operator<=>(const Versions&) const = default;
  };
  struct Known {
    Versions versions;
    std::optional<RestorePoint> point;  // nothing: its document cannot be read
  };
  struct Place {
    std::mutex mutex;
    std::map<std::string, Known> known;  // by name
  };
  static Result<std::map<std::string, Versions>> versions_there(const BackupPlace& place);

  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Place>> places_;  // by bucket and prefix
};

}  // namespace holdfast::k8s
