// Reads everything that is live and checks it, so that damage is found while copies still exist elsewhere.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "storage/object/pool.h"

namespace holdfast {

struct ScrubReport {
  bool running = false;
  uint64_t versions_checked = 0;
  uint64_t bytes_checked = 0;
  uint64_t versions_total = 0;
  int64_t started_ms = 0;
  int64_t finished_ms = 0;
  std::vector<std::string> damage;  // the first hundred findings, by bucket and key
  uint64_t damaged = 0;
  std::string stopped_by;           // an error that ended it early
};

// Thread-safe. One run at a time.
class Scrubber {
 public:
  explicit Scrubber(Pool& pool) : pool_(pool) {}
  ~Scrubber();
  // kFailedPrecondition while one runs.
  Result<void> start();
  ScrubReport report() const;

 private:
  void run(std::stop_token stop);
  void check(const StoredVersion& version);

  Pool& pool_;
  mutable std::mutex mutex_;
  ScrubReport report_;
  std::jthread thread_;
};

}  // namespace holdfast
