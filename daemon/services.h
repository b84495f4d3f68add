// What the admin API, the console and the command line may do: the same services that everything else uses.
#pragma once

#include <string>
#include <vector>

#include "storage/bucket_store.h"

namespace holdfast {

struct PoolStatus {
  std::string name, device, state, reason;  // state: "online", "read-only", "degraded"
  bool encrypted = false;
  bool time_unconfirmed = false;
  uint32_t epoch = 0;
  uint64_t capacity_bytes = 0, free_bytes = 0, reserve_bytes = 0, live_bytes = 0, journal_live_bytes = 0, garbage_bytes = 0;
  uint64_t segments = 0, free_segments = 0, journal_segments = 0, bulk_segments = 0;
  uint64_t visible_lsn = 0, applied_lsn = 0, groups = 0, records = 0, epoch_restarts = 0, device_sessions_lost = 0;
  uint64_t snapshot_lsn = 0;
};

struct ScrubStatus {
  bool running = false;
  uint64_t versions_checked = 0, bytes_checked = 0, damaged = 0;
  int64_t started_ms = 0, finished_ms = 0;
  std::vector<std::string> damage;
  std::string stopped_by;
};

struct BucketUsage {
  uint64_t objects = 0, object_bytes = 0, versions = 0, version_bytes = 0, uploads = 0, upload_bytes = 0;
};

// Thread-safe; calls may block.
class PoolService {
 public:
  virtual ~PoolService() = default;
  virtual std::vector<PoolStatus> pools() const = 0;
  virtual Result<void> start_scrub(const std::string& pool) = 0;
  virtual Result<ScrubStatus> scrub_status(const std::string& pool) const = 0;
  virtual Result<void> take_snapshot(const std::string& pool) = 0;
  // Lets pool time follow the host's clock again after a leap.
  virtual Result<void> confirm_time(const std::string& pool) = 0;
  virtual Result<BucketUsage> usage(const std::string& bucket) const = 0;
};

struct Services {
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  PoolService* pools = nullptr;
};

}  // namespace holdfast
