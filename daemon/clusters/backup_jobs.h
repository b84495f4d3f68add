// Backups that run: one at a time a cluster, the others in line.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "daemon/services.h"
#include "k8s/backup_engine.h"

namespace holdfast {

// Thread-safe. Its end stops what runs and waits for it.
class BackupJobs {
 public:
  explicit BackupJobs(k8s::EngineServices services) : services_(services) {}
  ~BackupJobs();

  // kAlreadyExists while one of that name runs or waits.
  Result<void> start(const std::string& cluster, k8s::ClusterAccess access, k8s::BackupPlace place, k8s::BackupOrder order);
  // Those in line, running, or ended without a restore point (the last 100 a cluster).
  std::vector<BackupStatus> of(const std::string& cluster) const;
  // False: one runs or waits there.
  bool idle(const std::string& cluster) const;
  void forget(const std::string& cluster);

 private:
  struct Job {
    k8s::ClusterAccess access;
    k8s::BackupPlace place;
    k8s::BackupOrder order;
    k8s::BackupProgress progress;
    BackupStatus status;
    bool done = false;
  };
  struct Line {
    std::deque<std::shared_ptr<Job>> jobs;
    std::jthread worker;
    bool working = false;
  };
  void work(std::stop_token stop, Line& line);
  static std::shared_ptr<Job> next_of(Line& line);

  const k8s::EngineServices services_;
  mutable std::mutex mutex_;
  std::map<std::string, Line> lines_;
};

}  // namespace holdfast
