// Backups or restores that run: one at a time a cluster, the others in line. What runs is noted in the settings, so that
// a daemon that was killed can clear away what it left and say that the job failed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "daemon/services.h"
#include "storage/base/clock.h"

namespace holdfast {

// failure_reason of what the daemon was doing when it was killed.
inline constexpr const char* kDaemonEnded = "the daemon ended while it ran";

struct JobEnd {
  RunStatus status;  // all but name and times
  bool recorded = false;  // it is found in the bucket from now on
};

// Where in the store a job writes. Empty bucket: not known.
struct JobPlace {
  std::string bucket, prefix;
};

struct Job {
  std::string name;
  JobPlace place;
  bool urgent = false;  // before all that wait and are not
  bool leaves_traces = true;  // false: nothing is to be cleared away should the daemon be killed
  // On a thread of its line.
  std::function<JobEnd(std::stop_token)> run;
  // What is known while it runs; called from any thread.
  std::function<void(RunStatus&)> show_progress;
};

// Thread-safe.
class JobLines {
 public:
  // `what`: "backup" or "restore". `on_end`: after every job, on its thread.
  JobLines(std::string what, Clock& clock, SettingsStore& settings, std::function<void(const std::string& cluster)> on_end)
      : what_(std::move(what)), clock_(clock), settings_(settings), on_end_(std::move(on_end)) {}
  ~JobLines() { stop(); }

  // Stops what runs and waits for it; what waits in line is dropped.
  void stop();

  // kAlreadyExists while one of that name runs or waits.
  Result<void> start(const std::string& cluster, Job job);
  // One that waits or runs ends as failed; one that does neither is left alone.
  void cancel(const std::string& cluster, const std::string& name);
  // After a start of the daemon, for what an earlier one was doing for this cluster when it was killed: `clear` clears
  // that away; true: it is to be shown as failed. Its error leaves the rest to the next start.
  void recover(const std::string& cluster, const std::function<Result<bool>(const std::string& name, const JobPlace& place)>& clear);
  // Those in line, running, or ended without a record (the last 100 a cluster).
  std::vector<RunStatus> of(const std::string& cluster) const;
  // How many stand before it; nothing where it neither runs nor waits.
  std::optional<size_t> before(const std::string& cluster, const std::string& name) const;
  // False: one runs or waits there.
  bool idle(const std::string& cluster) const;
  void forget(const std::string& cluster);
  void forget(const std::string& cluster, const std::string& name);

 private:
  struct Entry {
    Job job;
    RunStatus status;
    bool done = false;
    std::stop_source stop{};
  };
  struct Line {
    std::string cluster;
    std::deque<std::shared_ptr<Entry>> entries;
    std::jthread worker;
    bool working = false;
  };
  void work(std::stop_token stop, Line& line);
  JobEnd run(const Line& line, const Entry& entry, const std::stop_token& stop);
  void end(Line& line, Entry& entry, JobEnd end);
  std::string note_of(const std::string& cluster, const std::string& name) const { return "running-" + what_ + "/" + cluster + "/" + name; }

  const std::string what_;
  Clock& clock_;
  SettingsStore& settings_;
  const std::function<void(const std::string& cluster)> on_end_;
  mutable std::mutex mutex_;
  std::map<std::string, Line> lines_;
};

}  // namespace holdfast
