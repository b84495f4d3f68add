// The copies that a site is to get, one after the other.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "daemon/replicator/unit_copier.h"

namespace holdfast {

struct CopyJob {
  enum class Kind { kCopy, kCheck, kFetch, kLayOut, kClear, kUnhide };  // there; of one that is there; back from there; beside it there, and that away; from under what hides it
  Kind kind = Kind::kCopy;
  CopySource source;  // of a copy that is fetched: where to
  SiteUnit unit;
  bool volumes = true;  // of a copy that is fetched or checked: their data, too
};

// May this appliance write to the site? An error says why not.
using ConfirmSite = std::function<Result<void>(const std::string& name, RemoteStore& site)>;

// Thread-safe. Its end stops what runs and waits for it.
class SiteQueue {
 public:
  // `on_end`: after every copy, on its thread.
  SiteQueue(std::string name, std::shared_ptr<RemoteStore> store, CopyLimits limits, ConfirmSite confirm, std::function<void(const CopyStatus&)> on_end);
  ~SiteQueue();

  RemoteStore& store() { return *store_; }
  std::shared_ptr<RemoteStore> shared_store() { return store_; }
  // kAlreadyExists: it waits or runs.
  Result<void> add(CopyJob job);
  // Removes what no copy of the cluster needs of its repositories, before the next job.
  void sweep(const std::string& cluster);
  // Why the last sweep of a cluster could not be; empty: none failed.
  std::string sweep_problem(const std::string& cluster) const;
  std::vector<std::string> sweep_problems() const;
  // What waits, runs, has failed, was checked or fetched (the last 100).
  std::vector<CopyStatus> copies() const;
  // Nothing waits or runs, sweeps included.
  bool idle() const;
  // Waits until that is so; false: it was not, all the time.
  bool wait_idle(std::chrono::milliseconds at_most);
  // Of one that does not wait or run; false: there is none.
  bool forget(const std::string& cluster, const std::string& backup);

 private:
  struct Entry {
    CopyJob job;
    CopyProgress progress;
    CopyStatus status;  // without the progress
  };
  bool is_idle() const;  // with the lock held
  void work(const std::stop_token& stop);
  void forget_oldest();  // with the lock held
  void copy(const std::shared_ptr<Entry>& entry, const std::stop_token& stop);
  void check(const std::shared_ptr<Entry>& entry, const std::stop_token& stop);
  void fetch(const std::shared_ptr<Entry>& entry, const std::stop_token& stop);
  void lay_out(const std::shared_ptr<Entry>& entry, const std::stop_token& stop);
  void clear(const std::shared_ptr<Entry>& entry);
  void unhide(const std::shared_ptr<Entry>& entry, const std::stop_token& stop);
  void sweep_now(const std::string& cluster, const std::stop_token& stop);
  void fail(Entry& entry, const char* what, const Status& why);

  const std::string name_;
  const std::shared_ptr<RemoteStore> store_;
  const CopyLimits limits_;
  const ConfirmSite confirm_;
  const std::function<void(const CopyStatus&)> on_end_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<std::shared_ptr<Entry>> entries_;
  bool busy_ = false;             // with a job or a sweep
  std::set<std::string> sweeps_;  // clusters whose repositories are to be swept
  std::map<std::string, std::string> sweep_problems_;  // by cluster
  std::jthread worker_;
};

}  // namespace holdfast
