#include "daemon/replicator/site_queue.h"

#include <algorithm>

#include "daemon/replicator/unit_check.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {
constexpr size_t kKept = 100;
}

SiteQueue::SiteQueue(std::string name, std::unique_ptr<RemoteStore> store, CopyLimits limits, std::function<void()> on_end)
    : name_(std::move(name)), store_(std::move(store)), limits_(limits), on_end_(std::move(on_end)), worker_([this](std::stop_token stop) { work(stop); }) {}

SiteQueue::~SiteQueue() {
  worker_.request_stop();
  store_->stop();
}

Result<void> SiteQueue::add(CopyJob job) {
  std::lock_guard lock(mutex_);
  const auto same = [&](const auto& e) { return e->job.unit.cluster == job.unit.cluster && e->job.unit.backup == job.unit.backup; };
  const bool open = std::any_of(entries_.begin(), entries_.end(), [&](const auto& e) { return same(e) && e->is_open(); });
  if (open) return error(Code::kAlreadyExists, "backup \"" + job.unit.backup + "\" is being copied or checked at site \"" + name_ + "\"");
  std::erase_if(entries_, same);
  auto entry = std::make_shared<Entry>();
  entry->job = std::move(job);
  entries_.push_back(std::move(entry));
  changed_.notify_all();
  return {};
}

void SiteQueue::work(const std::stop_token& stop) {
  for (;;) {
    std::shared_ptr<Entry> entry;
    {
      std::unique_lock lock(mutex_);
      const auto next = [this] { return std::find_if(entries_.begin(), entries_.end(), [](const auto& e) { return e->state == "waiting"; }); };
      if (!changed_.wait(lock, stop, [&] { return next() != entries_.end(); })) return;
      entry = *next();
      entry->state = entry->job.check ? "checking" : "copying";
    }
    const SiteUnit& unit = entry->job.unit;
    if (entry->job.check) {
      end_check(entry, check_unit(*store_, unit, entry->progress, stop));
      continue;
    }
    spdlog::info("backup {} of cluster {} is copied to site {}", unit.backup, unit.cluster, name_);
    end(entry, copy_unit(entry->job.source, *store_, unit, limits_, entry->progress, stop));
    on_end_();
  }
}

void SiteQueue::end_check(const std::shared_ptr<Entry>& entry, const Result<std::vector<std::string>>& wrong) {
  const SiteUnit& unit = entry->job.unit;
  std::lock_guard lock(mutex_);
  if (wrong && wrong->empty()) {
    spdlog::info("the copy of backup {} of cluster {} at site {} is whole", unit.backup, unit.cluster, name_);
    entry->state = "whole";
    return;
  }
  entry->state = wrong ? "damaged" : "failed";
  if (wrong) entry->damage = *wrong;
  else entry->reason = "it cannot be checked: " + wrong.error().message();
  spdlog::error("the copy of backup {} of cluster {} at site {} is not known to be whole: {}", unit.backup, unit.cluster, name_, wrong ? wrong->front() : wrong.error().message());
}

void SiteQueue::end(const std::shared_ptr<Entry>& entry, const Result<void>& copied) {
  const SiteUnit& unit = entry->job.unit;
  std::lock_guard lock(mutex_);
  if (copied) {
    spdlog::info("backup {} of cluster {} is at site {}: {} objects, {} bytes", unit.backup, unit.cluster, name_, entry->progress.objects.load(), entry->progress.bytes.load());
    entries_.remove(entry);
    return;
  }
  spdlog::error("backup {} of cluster {} cannot be copied to site {}: {}", unit.backup, unit.cluster, name_, copied.error().message());
  entry->state = "failed";
  entry->reason = copied.error().message();
  if (entries_.size() > kKept && !entries_.front()->is_open()) entries_.pop_front();
}

std::vector<CopyStatus> SiteQueue::copies() const {
  std::lock_guard lock(mutex_);
  std::vector<CopyStatus> out;
  for (const auto& e : entries_) {
    out.push_back({e->job.unit.cluster, e->job.unit.backup, e->state, e->reason, e->progress.objects, e->progress.objects_done, e->progress.bytes, e->progress.bytes_done, e->damage});
  }
  return out;
}

bool SiteQueue::forget(const std::string& cluster, const std::string& backup) {
  std::lock_guard lock(mutex_);
  return std::erase_if(entries_, [&](const auto& e) { return !e->is_open() && e->job.unit.cluster == cluster && e->job.unit.backup == backup; }) > 0;
}

bool SiteQueue::idle() const {
  std::lock_guard lock(mutex_);
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& e) { return !e->is_open(); });
}

}  // namespace holdfast
