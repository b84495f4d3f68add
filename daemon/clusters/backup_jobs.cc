#include "daemon/clusters/backup_jobs.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr size_t kKeptJobs = 100;
}

BackupJobs::~BackupJobs() {
  std::vector<std::jthread> workers;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, line] : lines_) {
      line.worker.request_stop();
      workers.push_back(std::move(line.worker));
    }
  }
  workers.clear();  // joins
}

Result<void> BackupJobs::start(const std::string& cluster, k8s::ClusterAccess access, k8s::BackupPlace place, k8s::BackupOrder order) {
  std::lock_guard lock(mutex_);
  Line& line = lines_[cluster];
  const bool known = std::any_of(line.jobs.begin(), line.jobs.end(), [&](const auto& j) { return !j->done && j->order.name == order.name; });
  if (known) return error(Code::kAlreadyExists, "a backup \"" + order.name + "\" of cluster \"" + cluster + "\" is running or waiting");
  // An earlier one of that name that failed is no longer of interest.
  std::erase_if(line.jobs, [&](const auto& j) { return j->done && j->order.name == order.name; });
  auto job = std::make_shared<Job>();
  job->access = std::move(access);
  job->place = std::move(place);
  job->order = std::move(order);
  job->status.name = job->order.name;
  job->status.phase = "Queued";
  line.jobs.push_back(std::move(job));
  if (!line.working) {
    line.working = true;
    line.worker = std::jthread([this, &line](std::stop_token stop) { work(std::move(stop), line); });
  }
  return {};
}

std::shared_ptr<BackupJobs::Job> BackupJobs::next_of(Line& line) {
  for (const auto& job : line.jobs) {
    if (!job->done) return job;
  }
  return nullptr;
}

void BackupJobs::work(std::stop_token stop, Line& line) {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      std::lock_guard lock(mutex_);
      job = stop.stop_requested() ? nullptr : next_of(line);
      if (!job) {
        line.working = false;
        return;
      }
      job->status.phase = "InProgress";
      job->status.started = rfc3339(services_.clock->wall_ms());
    }
    spdlog::info("backup {} begins: {}", job->order.name, job->access.server);
    k8s::BackupOutcome outcome = k8s::back_up(job->access, job->place, job->order, services_, job->progress, stop);
    spdlog::info("backup {} ends: {}, {} items, {} warnings, {} errors{}", job->order.name, outcome.phase, outcome.items, outcome.warnings,
                 outcome.errors, outcome.failure_reason.empty() ? "" : ", " + outcome.failure_reason);
    std::lock_guard lock(mutex_);
    BackupStatus& s = job->status;
    s.phase = outcome.phase;
    s.completed = rfc3339(services_.clock->wall_ms());
    s.failure_reason = outcome.failure_reason;
    s.validation_errors = outcome.validation_errors;
    job->done = true;
    const bool visible = s.phase == "Completed" || s.phase == "PartiallyFailed";
    if (visible || line.jobs.size() > kKeptJobs) std::erase(line.jobs, visible ? job : line.jobs.front());
  }
}

std::vector<BackupStatus> BackupJobs::of(const std::string& cluster) const {
  std::lock_guard lock(mutex_);
  std::vector<BackupStatus> out;
  const auto line = lines_.find(cluster);
  if (line == lines_.end()) return out;
  for (const auto& job : line->second.jobs) {
    out.push_back(job->status);
    out.back().items = job->progress.items;
  }
  return out;
}

bool BackupJobs::idle(const std::string& cluster) const {
  const auto all = of(cluster);
  return std::none_of(all.begin(), all.end(), [](const BackupStatus& s) { return s.phase == "Queued" || s.phase == "InProgress"; });
}

void BackupJobs::forget(const std::string& cluster) {
  std::lock_guard lock(mutex_);
  if (const auto line = lines_.find(cluster); line != lines_.end()) line->second.jobs.clear();
}

}  // namespace holdfast
