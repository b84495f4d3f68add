#include "daemon/replicator/site_queue.h"

#include <algorithm>

#include "daemon/replicator/repository_sweep.h"
#include "daemon/replicator/unit_check.h"
#include "daemon/replicator/unit_fetcher.h"
#include "daemon/replicator/unit_layout.h"
#include "daemon/replicator/unit_lock.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {

constexpr size_t kKept = 100;

const char* running_state(CopyJob::Kind kind) {
  switch (kind) {
    case CopyJob::Kind::kCopy: return "copying";
    case CopyJob::Kind::kCheck: return "checking";
    case CopyJob::Kind::kFetch: return "fetching";
    case CopyJob::Kind::kLayOut: return "laying out";
    case CopyJob::Kind::kClear: return "clearing";
    case CopyJob::Kind::kUnhide: return "unhiding";
  }
  return "";
}

}  // namespace

SiteQueue::SiteQueue(std::string name, std::shared_ptr<RemoteStore> store, CopyLimits limits, ConfirmSite confirm, std::function<void(const CopyStatus&)> on_end)
    : name_(std::move(name)), store_(std::move(store)), limits_(limits), confirm_(std::move(confirm)), on_end_(std::move(on_end)), worker_([this](std::stop_token stop) { work(stop); }) {}

SiteQueue::~SiteQueue() {
  worker_.request_stop();
  store_->stop();
}

Result<void> SiteQueue::add(CopyJob job) {
  std::lock_guard lock(mutex_);
  const auto same = [&](const auto& e) { return e->job.unit.cluster == job.unit.cluster && e->job.unit.backup == job.unit.backup; };
  const bool open = std::any_of(entries_.begin(), entries_.end(), [&](const auto& e) { return same(e) && e->status.open(); });
  if (open) return error(Code::kAlreadyExists, "backup \"" + job.unit.backup + "\" is being copied, checked, fetched or laid out at site \"" + name_ + "\"");
  std::erase_if(entries_, same);
  auto entry = std::make_shared<Entry>();
  entry->status.cluster = job.unit.cluster;
  entry->status.backup = job.unit.backup;
  entry->status.state = "waiting";
  entry->job = std::move(job);
  entries_.push_back(std::move(entry));
  changed_.notify_all();
  return {};
}

void SiteQueue::work(const std::stop_token& stop) {
  for (;;) {
    std::shared_ptr<Entry> entry;
    std::string cluster;
    {
      std::unique_lock lock(mutex_);
      busy_ = false;
      changed_.notify_all();
      const auto next = [this] { return std::find_if(entries_.begin(), entries_.end(), [](const auto& e) { return e->status.state == "waiting"; }); };
      if (!changed_.wait(lock, stop, [&] { return next() != entries_.end() || !sweeps_.empty(); })) return;
      busy_ = true;
      if (sweeps_.empty()) {
        entry = *next();
        entry->status.state = running_state(entry->job.kind);
      } else {
        cluster = sweeps_.extract(sweeps_.begin()).value();
      }
    }
    if (!entry) {
      sweep_now(cluster, stop);
      continue;
    }
    switch (entry->job.kind) {
      case CopyJob::Kind::kCopy: copy(entry, stop); break;
      case CopyJob::Kind::kCheck: check(entry, stop); break;
      case CopyJob::Kind::kFetch: fetch(entry, stop); break;
      case CopyJob::Kind::kLayOut: lay_out(entry, stop); break;
      case CopyJob::Kind::kClear: clear(entry); break;
      case CopyJob::Kind::kUnhide: unhide(entry, stop); break;
    }
  }
}

void SiteQueue::fail(Entry& entry, const char* what, const Status& why) {
  const SiteUnit& unit = entry.job.unit;
  spdlog::error("backup {} of cluster {}, site {}: {}: {}", unit.backup, unit.cluster, name_, what, why.message());
  entry.status.state = "failed";
  entry.status.reason = why.message();
  forget_oldest();
}

void SiteQueue::copy(const std::shared_ptr<Entry>& entry, const std::stop_token& stop) {
  const SiteUnit& unit = entry->job.unit;
  Result<void> copied = confirm_(name_, *store_);
  if (copied) {
    spdlog::info("backup {} of cluster {} is copied to site {}", unit.backup, unit.cluster, name_);
    copied = copy_unit(entry->job.source, *store_, unit, limits_, entry->progress, stop);
  }
  CopyStatus ended;
  {
    std::lock_guard lock(mutex_);
    if (copied) {
      spdlog::info("backup {} of cluster {} is at site {}: {} objects, {} bytes", unit.backup, unit.cluster, name_, entry->progress.objects.load(), entry->progress.bytes.load());
      entries_.remove(entry);
    } else {
      fail(*entry, "it cannot be copied there", copied.error());
    }
    ended = entry->status;
  }
  on_end_(ended);
}

void SiteQueue::check(const std::shared_ptr<Entry>& entry, const std::stop_token& stop) {
  const SiteUnit& unit = entry->job.unit;
  const Result<std::vector<std::string>> wrong = check_unit(*store_, unit, entry->job.volumes, entry->progress, stop);
  std::lock_guard lock(mutex_);
  if (!wrong) return fail(*entry, "its copy cannot be checked", wrong.error());
  entry->status.state = wrong->empty() ? "whole" : "damaged";
  entry->status.damage = *wrong;
  if (wrong->empty()) spdlog::info("the copy of backup {} of cluster {} at site {} is whole", unit.backup, unit.cluster, name_);
  else spdlog::error("the copy of backup {} of cluster {} at site {} is damaged: {}", unit.backup, unit.cluster, name_, wrong->front());
  forget_oldest();
}

void SiteQueue::fetch(const std::shared_ptr<Entry>& entry, const std::stop_token& stop) {
  const SiteUnit& unit = entry->job.unit;
  spdlog::info("backup {} of cluster {} is brought back from site {}", unit.backup, unit.cluster, name_);
  const Result<void> fetched = fetch_unit(*store_, unit, entry->job.volumes, entry->job.source, limits_, entry->progress, stop);
  std::lock_guard lock(mutex_);
  if (!fetched) return fail(*entry, "it cannot be brought back", fetched.error());
  spdlog::info("backup {} of cluster {} is here again: {} objects, {} bytes", unit.backup, unit.cluster, entry->progress.objects.load(), entry->progress.bytes.load());
  entry->status.state = "fetched";
  forget_oldest();
}

void SiteQueue::lay_out(const std::shared_ptr<Entry>& entry, const std::stop_token& stop) {
  const SiteUnit& unit = entry->job.unit;
  Result<void> done = confirm_(name_, *store_);
  if (done) done = lay_out_unit(*store_, unit, limits_, entry->progress, stop);
  std::lock_guard lock(mutex_);
  if (!done) return fail(*entry, "it cannot be laid out there", done.error());
  spdlog::info("the copy of backup {} of cluster {} at site {} is laid out under {}", unit.backup, unit.cluster, name_, layout_prefix(unit.cluster, unit.backup));
  entry->status.state = "laid out";
  forget_oldest();
}

void SiteQueue::clear(const std::shared_ptr<Entry>& entry) {
  const SiteUnit& unit = entry->job.unit;
  Result<void> done = confirm_(name_, *store_);
  if (done) done = clear_layout(*store_, unit.cluster, unit.backup);
  std::lock_guard lock(mutex_);
  if (!done) return fail(*entry, "what is laid out of it cannot be removed", done.error());
  entry->status.state = "cleared";
  forget_oldest();
}

void SiteQueue::unhide(const std::shared_ptr<Entry>& entry, const std::stop_token& stop) {
  const SiteUnit& unit = entry->job.unit;
  Result<void> done = confirm_(name_, *store_);
  if (done) done = unhide_unit(*store_, unit.cluster, unit.backup, entry->progress, stop);
  std::lock_guard lock(mutex_);
  if (!done) return fail(*entry, "its locked copy cannot be brought to light", done.error());
  spdlog::info("the locked copy of backup {} of cluster {} at site {} is as it was copied", unit.backup, unit.cluster, name_);
  entry->status.state = "unhidden";
  forget_oldest();
}

void SiteQueue::sweep(const std::string& cluster) {
  std::lock_guard lock(mutex_);
  sweeps_.insert(cluster);
  changed_.notify_all();
}

// On the thread that copies: what a copy has sent and not yet listed is not mistaken for what nobody needs.
void SiteQueue::sweep_now(const std::string& cluster, const std::stop_token& stop) {
  Result<void> done = confirm_(name_, *store_);
  if (done) done = sweep_repositories(*store_, cluster, stop);
  if (stop.stop_requested()) return;
  if (!done) spdlog::error("cluster {}, site {}: what no copy needs of its repositories cannot be removed now: {}", cluster, name_, done.error().message());
  std::lock_guard lock(mutex_);
  if (done) sweep_problems_.erase(cluster);
  else sweep_problems_[cluster] = done.error().message();
}

std::string SiteQueue::sweep_problem(const std::string& cluster) const {
  std::lock_guard lock(mutex_);
  const auto known = sweep_problems_.find(cluster);
  return known == sweep_problems_.end() ? "" : known->second;
}

std::vector<std::string> SiteQueue::sweep_problems() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [cluster, problem] : sweep_problems_) out.push_back("what no copy of cluster \"" + cluster + "\" at site \"" + name_ + "\" needs of its repositories cannot be removed: " + problem);
  return out;
}

void SiteQueue::forget_oldest() {
  size_t closed = std::count_if(entries_.begin(), entries_.end(), [](const auto& e) { return !e->status.open(); });
  std::erase_if(entries_, [&](const auto& e) { return !e->status.open() && closed-- > kKept; });
}

std::vector<CopyStatus> SiteQueue::copies() const {
  std::lock_guard lock(mutex_);
  std::vector<CopyStatus> out;
  for (const auto& e : entries_) {
    CopyStatus& status = out.emplace_back(e->status);
    status.objects = e->progress.objects;
    status.objects_done = e->progress.objects_done;
    status.bytes = e->progress.bytes;
    status.bytes_done = e->progress.bytes_done;
  }
  return out;
}

bool SiteQueue::forget(const std::string& cluster, const std::string& backup) {
  std::lock_guard lock(mutex_);
  return std::erase_if(entries_, [&](const auto& e) { return !e->status.open() && e->job.unit.cluster == cluster && e->job.unit.backup == backup; }) > 0;
}

bool SiteQueue::idle() const {
  std::lock_guard lock(mutex_);
  return is_idle();
}

bool SiteQueue::wait_idle(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [this] { return is_idle(); });
}

bool SiteQueue::is_idle() const {
  return !busy_ && sweeps_.empty() && std::all_of(entries_.begin(), entries_.end(), [](const auto& e) { return !e->status.open(); });
}

}  // namespace holdfast
