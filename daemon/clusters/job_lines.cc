#include "daemon/clusters/job_lines.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr size_t kKeptJobs = 100;
constexpr size_t kKeptPlans = 5;

JobPlace noted_place(const SettingsStore& settings, const std::string& note) {
  const std::string text = settings.setting(note).value_or("");
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return {};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

void JobLines::stop() {
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

Result<void> JobLines::start(const std::string& cluster, Job job) {
  std::lock_guard lock(mutex_);
  Line& line = lines_[cluster];
  line.cluster = cluster;
  const auto named = [&](const auto& e) { return e->job.name == job.name; };
  const bool known = std::any_of(line.entries.begin(), line.entries.end(), [&](const auto& e) { return !e->done && named(e); });
  if (known) return error(Code::kAlreadyExists, "a " + what_ + " \"" + job.name + "\" of cluster \"" + cluster + "\" is running or waiting");
  // An earlier one of that name that failed is no longer of interest.
  std::erase_if(line.entries, named);
  auto entry = std::make_shared<Entry>();
  entry->status.name = job.name;
  entry->status.phase = "Queued";
  entry->job = std::move(job);
  const auto waits = [&](const auto& e) { return !e->done && e->status.phase == "Queued" && !e->job.urgent; };
  const auto place = entry->job.urgent ? std::find_if(line.entries.begin(), line.entries.end(), waits) : line.entries.end();
  line.entries.insert(place, std::move(entry));
  if (!line.working) {
    line.working = true;
    line.worker = std::jthread([this, &line](std::stop_token stop) { work(std::move(stop), line); });
  }
  return {};
}

JobEnd JobLines::run(const Line& line, const Entry& entry, const std::stop_token& stop) {
  const Job& job = entry.job;
  spdlog::info("{} {} of cluster {} begins", what_, job.name, line.cluster);
  const std::string note = note_of(line.cluster, job.name);
  JobEnd end;
  RunStatus& ended = end.status;
  const auto noted = job.leaves_traces ? settings_.put_setting(note, job.place.bucket + "/" + job.place.prefix) : Result<void>();
  if (noted) {
    end = job.run(stop);
    const auto cleared = job.leaves_traces ? settings_.put_setting(note, "") : Result<void>();
    if (!cleared) spdlog::error("{} {}: {}", what_, job.name, cleared.error().message());
  } else {
    ended.phase = "Failed";
    ended.failure_reason = noted.error().message();
  }
  spdlog::info("{} {} ends: {}, {} items, {} warnings, {} errors{}", what_, job.name, ended.phase, ended.items, ended.warnings, ended.errors,
               ended.failure_reason.empty() ? "" : ", " + ended.failure_reason);
  return end;
}

void JobLines::work(std::stop_token stop, Line& line) {
  for (;;) {
    std::shared_ptr<Entry> entry;
    {
      std::lock_guard lock(mutex_);
      const auto next = std::find_if(line.entries.begin(), line.entries.end(), [](const auto& e) { return !e->done; });
      if (stop.stop_requested() || next == line.entries.end()) {
        line.working = false;
        return;
      }
      entry = *next;
      entry->status.phase = "InProgress";
      entry->status.started = rfc3339(clock_.wall_ms());
    }
    const std::stop_callback with_line(stop, [&entry] { entry->stop.request_stop(); });
    end(line, *entry, run(line, *entry, entry->stop.get_token()));
    on_end_(line.cluster);
  }
}

void JobLines::end(Line& line, Entry& entry, JobEnd end) {
  std::lock_guard lock(mutex_);
  RunStatus& ended = end.status;
  ended.name = entry.job.name;
  ended.started = entry.status.started;
  ended.completed = rfc3339(clock_.wall_ms());
  entry.status = std::move(ended);
  entry.done = true;
  if (end.recorded) std::erase_if(line.entries, [&](const auto& e) { return e.get() == &entry; });
  const auto has_plan = [](const auto& e) { return e->status.planned && e->done; };
  const bool many_plans = static_cast<size_t>(std::count_if(line.entries.begin(), line.entries.end(), has_plan)) > kKeptPlans;
  if (many_plans) line.entries.erase(std::find_if(line.entries.begin(), line.entries.end(), has_plan));
  if (line.entries.size() > kKeptJobs && line.entries.front()->done) line.entries.pop_front();
}

void JobLines::cancel(const std::string& cluster, const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto line = lines_.find(cluster);
  if (line == lines_.end()) return;
  for (const auto& entry : line->second.entries) {
    if (!entry->done && entry->job.name == name) entry->stop.request_stop();
  }
}

void JobLines::recover(const std::string& cluster, const std::function<Result<bool>(const std::string& name, const JobPlace& place)>& clear) {
  const std::string prefix = note_of(cluster, "");
  for (const std::string& note : settings_.setting_names(prefix)) {
    auto entry = std::make_shared<Entry>();
    entry->job.name = entry->status.name = note.substr(prefix.size());
    entry->status.phase = "Failed";
    entry->status.failure_reason = kDaemonEnded;
    entry->done = true;
    const auto shown = clear(entry->job.name, noted_place(settings_, note));
    if (!shown) {
      spdlog::error("{} {} of cluster {}: what it left cannot be cleared away: {}", what_, entry->job.name, cluster, shown.error().message());
      continue;  // the next start tries again
    }
    if (*shown) {
      spdlog::warn("{} {} of cluster {} failed: {}", what_, entry->job.name, cluster, entry->status.failure_reason);
      std::lock_guard lock(mutex_);
      lines_[cluster].cluster = cluster;
      lines_[cluster].entries.push_back(std::move(entry));
    }
    (void)settings_.put_setting(note, "");
  }
}

std::vector<RunStatus> JobLines::of(const std::string& cluster) const {
  std::lock_guard lock(mutex_);
  std::vector<RunStatus> out;
  const auto line = lines_.find(cluster);
  if (line == lines_.end()) return out;
  for (const auto& entry : line->second.entries) {
    out.push_back(entry->status);
    if (!entry->done && entry->job.show_progress) entry->job.show_progress(out.back());
  }
  return out;
}

std::optional<size_t> JobLines::before(const std::string& cluster, const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto line = lines_.find(cluster);
  size_t count = 0;
  if (line == lines_.end()) return std::nullopt;
  for (const auto& entry : line->second.entries) {
    if (entry->done) continue;
    if (entry->job.name == name) return count;
    ++count;
  }
  return std::nullopt;
}

bool JobLines::idle(const std::string& cluster) const {
  const auto all = of(cluster);
  return std::none_of(all.begin(), all.end(), [](const RunStatus& s) { return s.phase == "Queued" || s.phase == "InProgress"; });
}

void JobLines::forget(const std::string& cluster) {
  std::lock_guard lock(mutex_);
  if (const auto line = lines_.find(cluster); line != lines_.end()) line->second.entries.clear();
}

void JobLines::forget(const std::string& cluster, const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto line = lines_.find(cluster);
  if (line != lines_.end()) std::erase_if(line->second.entries, [&](const auto& e) { return e->done && e->job.name == name; });
}

}  // namespace holdfast
