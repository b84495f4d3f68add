// What the scheduler needs of what makes backups. The tests have one of their own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/policies.h"
#include "daemon/scheduler/policy.h"
#include "daemon/retention.h"

namespace holdfast {

// Of a backup that was begun.
struct BackupLook {
  bool ended = false;
  std::string phase, reason;  // of one that has: Completed, PartiallyFailed, Failed, FailedValidation
  uint64_t items = 0, warnings = 0, errors = 0;
};

// Of the restore points that a tier made.
struct OwnedPoint {
  std::string policy, tier;
  TierPoint point;
};

// Thread-safe; calls return soon.
class BackupMaker {
 public:
  virtual ~BackupMaker() = default;
  // Makes run.backup. kUnavailable: not now, but soon; kAlreadyExists: there is one of that name.
  virtual Result<void> begin(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) = 0;
  // kNotFound: it never began, or nothing of it is known any more; kUnavailable: that cannot be said now.
  virtual Result<BackupLook> look(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) = 0;
  // It ends as failed, soon.
  virtual void cancel(const std::string& cluster, const std::string& backup) = 0;

  virtual Result<std::vector<OwnedPoint>> points(const std::string& cluster) = 0;
  // Nobody can remove it before that time. kUnavailable: whoever makes it has not ended yet.
  virtual Result<void> lock_point(const std::string& cluster, const std::string& backup, int64_t until_ms) = 0;
  virtual Result<void> remove_point(const std::string& cluster, const std::string& backup) = 0;
};

}  // namespace holdfast
