// The copies that a site is to get, one after the other.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "daemon/replicator/unit_copier.h"

namespace holdfast {

struct CopyJob {
  CopySource source;
  SiteUnit unit;
  bool check = false;  // of a copy that is there: nothing is copied
};

// Thread-safe. Its end stops what runs and waits for it.
class SiteQueue {
 public:
  // `on_end`: after every copy, on its thread.
  SiteQueue(std::string name, std::unique_ptr<RemoteStore> store, CopyLimits limits, std::function<void()> on_end);
  ~SiteQueue();

  RemoteStore& store() { return *store_; }
  // kAlreadyExists: it waits or runs.
  Result<void> add(CopyJob job);
  // What waits, runs, has failed or was checked (the last 100).
  std::vector<CopyStatus> copies() const;
  bool idle() const;
  // Of a copy that has failed or was checked; false: there is none.
  bool forget(const std::string& cluster, const std::string& backup);

 private:
  struct Entry {
    CopyJob job;
    CopyProgress progress;
    std::string state = "waiting", reason;
    std::vector<std::string> damage;
    bool is_open() const { return state == "waiting" || state == "copying" || state == "checking"; }
  };
  void work(const std::stop_token& stop);
  void end(const std::shared_ptr<Entry>& entry, const Result<void>& copied);
  void end_check(const std::shared_ptr<Entry>& entry, const Result<std::vector<std::string>>& wrong);

  const std::string name_;
  const std::unique_ptr<RemoteStore> store_;
  const CopyLimits limits_;
  const std::function<void()> on_end_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<std::shared_ptr<Entry>> entries_;
  std::jthread worker_;
};

}  // namespace holdfast
