#include "daemon/clusters/backup_jobs.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr size_t kKeptJobs = 100;

std::string note_of(const std::string& cluster, const std::string& backup) { return "running-backup/" + cluster + "/" + backup; }
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
  line.cluster = cluster;
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
    spdlog::info("backup {} of cluster {} begins", job->order.name, line.cluster);
    const std::string note = note_of(line.cluster, job->order.name);
    k8s::BackupOutcome outcome;
    if (auto noted = settings_.put_setting(note, "running"); noted) {
      outcome = k8s::back_up(job->access, job->place, job->order, services_, job->progress, stop);
      if (auto cleared = settings_.put_setting(note, ""); !cleared) spdlog::error("backup {}: {}", job->order.name, cleared.error().message());
    } else {
      outcome.phase = "Failed";
      outcome.failure_reason = noted.error().message();
    }
    spdlog::info("backup {} ends: {}, {} items, {} warnings, {} errors{}", job->order.name, outcome.phase, outcome.items, outcome.warnings,
                 outcome.errors, outcome.failure_reason.empty() ? "" : ", " + outcome.failure_reason);
    on_end_();
    std::lock_guard lock(mutex_);
    BackupStatus& s = job->status;
    s.phase = outcome.phase;
    s.completed = rfc3339(services_.clock->wall_ms());
    s.failure_reason = outcome.failure_reason;
    s.validation_errors = outcome.validation_errors;
    job->done = true;
    const bool visible = is_restore_point(s);
    if (visible || line.jobs.size() > kKeptJobs) std::erase(line.jobs, visible ? job : line.jobs.front());
  }
}

void BackupJobs::recover(const std::string& cluster, const k8s::BackupPlace& place) {
  const std::string prefix = note_of(cluster, "");
  for (const std::string& note : settings_.setting_names(prefix)) {
    auto job = std::make_shared<Job>();
    job->order.name = job->status.name = note.substr(prefix.size());
    job->status.phase = "Failed";
    job->status.failure_reason = "the daemon ended while it ran";
    job->done = true;
    const auto point = k8s::restore_point_document(place, job->order.name);
    if (!point) {
      if (auto cleared = k8s::delete_leftovers(place, job->order.name); !cleared) {
        spdlog::error("backup {} of cluster {}: what it left cannot be removed: {}", job->order.name, cluster, cleared.error().message());
        continue;  // the next start tries again
      }
      spdlog::warn("backup {} of cluster {} failed: {}", job->order.name, cluster, job->status.failure_reason);
      std::lock_guard lock(mutex_);
      lines_[cluster].cluster = cluster;
      lines_[cluster].jobs.push_back(std::move(job));
    }
    (void)settings_.put_setting(note, "");
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
