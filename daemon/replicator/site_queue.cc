#include "daemon/replicator/site_queue.h"

#include <algorithm>

#include "storage/base/log.h"

namespace holdfast {

namespace {
constexpr size_t kKeptFailures = 100;
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
  const bool open = std::any_of(entries_.begin(), entries_.end(), [&](const auto& e) { return same(e) && e->state != "failed"; });
  if (open) return error(Code::kAlreadyExists, "backup \"" + job.unit.backup + "\" is being copied to site \"" + name_ + "\"");
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
      entry->state = "copying";
    }
    const SiteUnit& unit = entry->job.unit;
    spdlog::info("backup {} of cluster {} is copied to site {}", unit.backup, unit.cluster, name_);
    const auto copied = copy_unit(entry->job.source, *store_, unit, limits_, entry->progress, stop);
    end(entry, copied);
    on_end_();
  }
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
  if (entries_.size() > kKeptFailures && entries_.front()->state == "failed") entries_.pop_front();
}

std::vector<CopyStatus> SiteQueue::copies() const {
  std::lock_guard lock(mutex_);
  std::vector<CopyStatus> out;
  for (const auto& e : entries_) {
    out.push_back({e->job.unit.cluster, e->job.unit.backup, e->state, e->reason, e->progress.objects, e->progress.objects_done, e->progress.bytes, e->progress.bytes_done});
  }
  return out;
}

bool SiteQueue::idle() const {
  std::lock_guard lock(mutex_);
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& e) { return e->state == "failed"; });
}

}  // namespace holdfast
