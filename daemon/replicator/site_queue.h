// The copies that a site is to get, one after the other.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "daemon/replicator/unit_copier.h"

namespace holdfast {

struct CopyJob {
  CopySource source;
  SiteUnit unit;
};

// Thread-safe. Its end stops what runs and waits for it.
class SiteQueue {
 public:
  SiteQueue(std::string name, std::unique_ptr<RemoteStore> store, CopyLimits limits);
  ~SiteQueue();

  RemoteStore& store() { return *store_; }
  // kAlreadyExists: it waits or runs.
  Result<void> add(CopyJob job);
  // What waits, runs, or has failed (the last 100).
  std::vector<CopyStatus> copies() const;
  bool idle() const;

 private:
  struct Entry {
    CopyJob job;
    CopyProgress progress;
    std::string state = "waiting", reason;
  };
  void work(const std::stop_token& stop);

  const std::string name_;
  const std::unique_ptr<RemoteStore> store_;
  const CopyLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<std::shared_ptr<Entry>> entries_;
  std::jthread worker_;
};

}  // namespace holdfast
