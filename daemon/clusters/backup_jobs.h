// Backups that run: one at a time a cluster, the others in line. What runs is noted in the settings, so that a daemon
// that was killed can clear away what it left and say that the backup failed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
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
  // `on_end`: after every backup, on its thread.
  BackupJobs(k8s::EngineServices services, SettingsStore& settings, std::function<void()> on_end)
      : services_(services), settings_(settings), on_end_(std::move(on_end)) {}
  ~BackupJobs();

  // kAlreadyExists while one of that name runs or waits.
  Result<void> start(const std::string& cluster, k8s::ClusterAccess access, k8s::BackupPlace place, k8s::BackupOrder order);
  // After a start: ends what an earlier process was doing for this cluster when it was killed.
  void recover(const std::string& cluster, const k8s::BackupPlace& place);
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
    std::string cluster;
    std::deque<std::shared_ptr<Job>> jobs;
    std::jthread worker;
    bool working = false;
  };
  void work(std::stop_token stop, Line& line);
  static std::shared_ptr<Job> next_of(Line& line);
  static bool is_restore_point(const BackupStatus& status) { return status.phase == "Completed" || status.phase == "PartiallyFailed"; }

  const k8s::EngineServices services_;
  SettingsStore& settings_;
  const std::function<void()> on_end_;
  mutable std::mutex mutex_;
  std::map<std::string, Line> lines_;
};

}  // namespace holdfast
