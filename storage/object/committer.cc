#include "storage/object/committer.h"

#include <pthread.h>

#include <chrono>

#include "storage/base/host.h"
#include "storage/base/log.h"
#include "storage/base/md5_batch.h"

namespace holdfast {

namespace {
constexpr size_t kMaxGroupRequests = 256;
constexpr uint64_t kMaxGroupBytes = 1 << 20;
constexpr size_t kMaxUnapplied = 8192;      // records; more wait for the index
constexpr size_t kApplyBatch = 512;
// A transaction costs more than its records: unless somebody waits for the index it waits for so many, and for so long.
constexpr size_t kWorthApplying = 64;
constexpr auto kApplyAfter = std::chrono::milliseconds(5);
constexpr auto kFlushedMarkAfter = std::chrono::milliseconds(50);
constexpr auto kRetryPause = std::chrono::seconds(1);
constexpr auto kCommitDeadline = std::chrono::seconds(60);

Status lost_session() {
  return Status(Code::kUnavailable, Subject::kDevice, "the device's session ended before the write was durable");
}
}  // namespace

struct Committer::Waiter {
  CommitRequest* request = nullptr;
  std::function<Result<void>()>* exclusive = nullptr;
  Result<void> result;
  // Of somebody who blocks.
  bool done = false;
  std::condition_variable changed;
  // Of somebody who does not: owned by the queue.
  CommitRequest submitted;
  Done tell;
};

struct Committer::Group {
  std::vector<Waiter*> waiters;  // that wait for the flush
  std::vector<JournalEntry> entries;
  std::vector<Fact> facts;
  Overlay forming;
  Purpose purpose = Purpose::kDelete;  // of a journal segment that it may need
};

Committer::Committer(Parts parts, Lsn last)
    : p_(parts), last_lsn_(last), flushed_lsn_(last), visible_lsn_(last), applied_lsn_(last) {
  committer_ = std::thread([this] { commit_loop(); });
  applier_ = std::thread([this] { apply_loop(); });
}

Committer::~Committer() { stop(); }

void Committer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_all();
    applied_changed_.notify_all();
  }
  if (committer_.joinable()) committer_.join();
  {
    std::lock_guard lock(mutex_);
    committer_done_ = true;
    to_apply_changed_.notify_all();
  }
  if (applier_.joinable()) applier_.join();
}

std::string Committer::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

Committer::Statistics Committer::statistics() const {
  std::lock_guard lock(mutex_);
  Statistics s = statistics_;
  s.visible_lsn = visible_lsn_;
  s.applied_lsn = applied_lsn_;
  return s;
}

Result<void> Committer::commit(CommitRequest request) {
  if (!request.bodies.empty() && request.incarnation != p_.volume->device->incarnation()) {
    // Written in an earlier session and perhaps lost with the target's cache.
    request.incarnation = p_.volume->device->incarnation();
    for (const BodyRef& body : request.bodies) {
      if (!BodyReader(*p_.volume, body).verify()) return error(lost_session());
    }
  }
  Waiter waiter;
  waiter.request = &request;
  return wait_in_queue(waiter);
}

Result<void> Committer::enter_queue(Waiter& waiter) {
  if (stopping_) return error(Code::kUnavailable, Subject::kPool, "the pool is closing");
  queue_.push_back(&waiter);
  work_.notify_one();
  return {};
}

Result<void> Committer::wait_in_queue(Waiter& waiter) {
  std::unique_lock lock(mutex_);
  HF_CHECK(enter_queue(waiter));
  waiter.changed.wait(lock, [&] { return waiter.done; });
  return std::move(waiter.result);
}

void Committer::submit(CommitRequest request, Done done) {
  auto waiter = std::make_unique<Waiter>();
  waiter->submitted = std::move(request);
  waiter->request = &waiter->submitted;
  waiter->tell = std::move(done);
  Result<void> entered;
  {
    std::lock_guard lock(mutex_);
    entered = enter_queue(*waiter);
    if (entered) (void)waiter.release();
  }
  if (!entered) waiter->tell(std::move(entered));
}

Result<void> Committer::run_exclusive(std::function<Result<void>()> work) {
  Waiter waiter;
  waiter.exclusive = &work;
  return wait_in_queue(waiter);
}

Result<void> Committer::settle() {
  Lsn target = 0;
  {
    std::lock_guard lock(mutex_);
    target = visible_lsn_;
  }
  return wait_applied(target);
}

Result<void> Committer::wait_applied(Lsn lsn) {
  std::unique_lock lock(mutex_);
  if (applied_lsn_ >= lsn) return {};
  awaited_lsn_ = std::max(awaited_lsn_, lsn);
  to_apply_changed_.notify_one();
  if (applied_changed_.wait_for(lock, kCommitDeadline, [&] { return applied_lsn_ >= lsn; })) return {};
  return error(Code::kUnavailable, Subject::kIndex, "the index is behind");
}

// Takes what fits in one group. A request that must be alone ends the batch before it, or is the batch.
std::deque<Committer::Waiter*> Committer::take_batch(std::unique_lock<std::mutex>&) {
  std::deque<Waiter*> batch;
  uint64_t bytes = 0;
  while (!queue_.empty() && batch.size() < kMaxGroupRequests) {
    Waiter* next = queue_.front();
    const bool alone = next->exclusive != nullptr || next->request->settled;
    const uint64_t more = alone ? 0 : next->request->estimated_bytes;
    if (!batch.empty() && (alone || bytes + more > kMaxGroupBytes)) break;
    batch.push_back(next);
    queue_.pop_front();
    bytes += more;
    if (alone) break;
  }
  return batch;
}

void Committer::commit_loop() {
  pthread_setname_np(pthread_self(), "committer");
  put_thread_first();
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto ready = [&] { return stopping_ || !queue_.empty(); };
    bool woken = true;
    if (marked_ || broken_) {
      work_.wait(lock, ready);
    } else {
      woken = work_.wait_for(lock, kFlushedMarkAfter, ready);
    }
    if (!woken) {
      lock.unlock();
      write_flushed_mark();
      lock.lock();
      continue;
    }
    if (queue_.empty()) return;  // stopping, and nothing waits
    applied_changed_.wait(lock, [&] { return stopping_ || to_apply_.size() < kMaxUnapplied; });
    std::deque<Waiter*> batch = take_batch(lock);
    lock.unlock();
    commit_batch(std::move(batch));
    lock.lock();
  }
}

void Committer::commit_batch(std::deque<Waiter*> batch) {
  Result<void> usable;
  // The mark is not flushed by itself: lost with a session, it would leave a gap before the next group.
  const bool mark_pending = last_lsn_ != flushed_lsn_;
  broken_ = broken_ || (mark_pending && mark_incarnation_ != p_.volume->device->incarnation());
  if (broken_) {
    usable = restart_epoch();
    std::lock_guard lock(mutex_);
    failure_ = usable ? "" : usable.error().message();
  }
  Group group;
  const bool settled = batch.front()->request != nullptr && batch.front()->request->settled;
  if (settled && usable) usable = wait_applied(visible_lsn_);
  if (usable) hash(batch);
  for (Waiter* waiter : batch) {
    if (!usable) {
      waiter->result = usable;
    } else if (waiter->exclusive != nullptr) {
      waiter->result = (*waiter->exclusive)();
    } else {
      decide(*waiter, group);
    }
  }
  if (!group.entries.empty()) {
    auto durable = make_durable(group);
    if (durable) {
      publish(group);
      if (settled) (void)wait_applied(visible_lsn_);  // it is durable whether or not the index follows in time
    } else {
      broken_ = true;
      spdlog::error("commit failed: {}", durable.error().to_string());
      // Whether the group survives is decided by the next epoch, which voids it: "unknown" is the truth till then.
      Status unknown(Code::kUnavailable, Subject::kDevice, durable.error().message());
      for (Waiter* waiter : group.waiters) waiter->result = std::unexpected(unknown);
      std::lock_guard lock(mutex_);
      failure_ = durable.error().message();
    }
  }
  answer(batch);
}

void Committer::answer(const std::deque<Waiter*>& batch) {
  std::vector<std::unique_ptr<Waiter>> submitted;
  {
    std::lock_guard lock(mutex_);
    for (Waiter* waiter : batch) {
      if (waiter->tell) {
        submitted.emplace_back(waiter);
      } else {
        waiter->done = true;  // and its thread may end it from here on
        waiter->changed.notify_one();
      }
    }
  }
  for (const auto& waiter : submitted) waiter->tell(std::move(waiter->result));
}

bool Committer::find_room(Purpose purpose) {
  Allocator& allocator = *p_.volume->allocator;
  if (allocator.has_room(purpose)) return true;
  allocator.reclaim();
  if (allocator.has_room(purpose)) return true;
  // What was removed counts as free once the index says that nobody else has it.
  if (!wait_applied(visible_lsn_)) return false;
  allocator.reclaim();
  return allocator.has_room(purpose);
}

void Committer::hash(const std::deque<Waiter*>& batch) {
  std::vector<CommitRequest*> requests;
  std::vector<ByteSpan> bodies;
  for (const Waiter* waiter : batch) {
    if (waiter->request == nullptr || waiter->request->md5 == nullptr) continue;
    requests.push_back(waiter->request);
    bodies.push_back(waiter->request->unhashed);
  }
  const std::vector<Md5Value> values = md5_of_each(bodies);
  for (size_t i = 0; i < requests.size(); ++i) *requests[i]->md5 = hex(values[i]);
}

void Committer::decide(Waiter& waiter, Group& group) {
  CommitRequest& request = *waiter.request;
  if (!find_room(request.purpose)) {
    waiter.result = error(Code::kOutOfSpace, Subject::kPool, "the pool is full");
    return;
  }
  const VersionView view(*p_.index, *p_.overlay, &group.forming);
  CommitContext context{view, *p_.index, last_lsn_ + 1, p_.clock->wall_ms()};
  auto facts = request.decide(context);
  if (!facts) {
    waiter.result = std::unexpected(facts.error());
    return;
  }
  if (facts->empty()) return;
  if (request.purpose == Purpose::kCompaction) group.purpose = Purpose::kCompaction;
  group.waiters.push_back(&waiter);
  for (Fact& fact : *facts) {
    JournalEntry entry;
    entry.type = static_cast<uint8_t>(fact.index());
    entry.lsn = ++last_lsn_;
    entry.payload = encode_fact(fact);
    if (auto* put = std::get_if<VersionPut>(&fact)) {
      put->inline_body.clear();
      put->inline_body.shrink_to_fit();
    }
    lay_over(group.forming, fact, entry.lsn);
    group.entries.push_back(std::move(entry));
    group.facts.push_back(std::move(fact));
  }
}

// What a fact does to versions, in a layer above the overlay.
void Committer::lay_over(Overlay& layer, const Fact& fact, Lsn lsn) {
  if (const auto* put = std::get_if<VersionPut>(&fact)) {
    for (VersionSeq seq : put->removes) layer.remove(put->version.info.bucket, put->version.info.key, seq, lsn);
    layer.put(std::make_shared<StoredVersion>(put->version), lsn);
  } else if (const auto* gone = std::get_if<VersionRemove>(&fact)) {
    layer.remove(gone->bucket, gone->key, gone->seq, lsn);
  } else if (const auto* change = std::get_if<VersionAttributes>(&fact)) {
    const VersionView view(*p_.index, *p_.overlay, &layer);
    const auto current = view.version(change->bucket, change->key, change->seq);
    if (!current || !*current) return;
    auto changed = std::make_shared<StoredVersion>(**current);
    changed->info.attributes = change->attributes;
    layer.put(std::move(changed), lsn);
  }
}

Result<void> Committer::make_durable(Group& group) {
  BlockDevice& device = *p_.volume->device;
  const bool mark_pending = group.entries.front().lsn != flushed_lsn_ + 1;
  const uint64_t incarnation = mark_pending ? mark_incarnation_ : device.incarnation();
  HF_CHECK(p_.journal->append(group.entries, flushed_lsn_, group.purpose));
  auto flushed = device.flush();
  bool lost = !flushed || device.incarnation() != incarnation;
  for (const Waiter* waiter : group.waiters) {
    lost = lost || (!waiter->request->bodies.empty() && waiter->request->incarnation != device.incarnation());
  }
  if (lost) {
    if (!flushed && !flushed.error().retryable()) return flushed;
    if (mark_pending) return error(lost_session());
    HF_CHECK(write_again(group));
  }
  if (!device.held()) return error(Code::kUnavailable, Subject::kDevice, "this host may no longer hold the device");
  flushed_lsn_ = last_lsn_;
  marked_ = false;
  return {};
}

// A session ended between the writes and the flush: journal bytes go out again, same bytes to the same place;
// bodies are read back and compared, since nobody has their bytes any more.
Result<void> Committer::write_again(Group& group) {
  BlockDevice& device = *p_.volume->device;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const uint64_t incarnation = device.incarnation();
    HF_CHECK(check_still_ours());
    if (auto written = p_.journal->rewrite_last_group(); !written) {
      if (!written.error().retryable()) return written;
      continue;
    }
    for (const Waiter* waiter : group.waiters) {
      for (const BodyRef& body : waiter->request->bodies) HF_CHECK(BodyReader(*p_.volume, body).verify());
    }
    auto flushed = device.flush();
    if (flushed && device.incarnation() == incarnation) return {};
    if (!flushed && !flushed.error().retryable()) return flushed;
  }
  return error(lost_session());
}

void Committer::publish(Group& group) {
  std::deque<Pending> pending;
  Overlay placed;
  for (size_t i = 0; i < group.entries.size(); ++i) {
    const JournalEntry& e = group.entries[i];
    Fact& fact = group.facts[i];
    if (has_home(fact)) {
      p_.volume->allocator->add_live(e.address.segment, e.address.generation, e.address.total_bytes);
    }
    const std::vector<StoredPart>* parts = nullptr;
    std::vector<StoredPart> one;
    if (auto* put = std::get_if<VersionPut>(&fact)) {
      put->version.home = e.address;
      parts = &put->version.parts;
    } else if (const auto* part = std::get_if<PartPut>(&fact)) {
      one.push_back(part->part);
      parts = &one;
    }
    lay_over(placed, fact, e.lsn);
    if (parts != nullptr) {
      for (const StoredPart& p : *parts) {
        for (const ExtentRef& x : p.body.extents) {
          p_.volume->allocator->add_live(
              x.segment, x.generation,
              extent_disk_bytes(x.data_bytes, !p.body.wrapped_key.empty(), p_.volume->layout.block_bytes));
        }
      }
    }
    pending.push_back({e.lsn, e.checksum, e.address, Fact()});
  }
  p_.overlay->absorb(placed);
  for (size_t i = 0; i < pending.size(); ++i) {
    p_.catalog->apply(group.facts[i]);
    pending[i].fact = std::move(group.facts[i]);
  }
  std::lock_guard lock(mutex_);
  ++statistics_.groups;
  ++statistics_.flushes;
  statistics_.records += pending.size();
  for (const Pending& one : pending) statistics_.journal_bytes += one.address.total_bytes;
  visible_lsn_ = pending.back().lsn;
  const bool was_empty = to_apply_.empty();
  for (Pending& one : pending) to_apply_.push_back(std::move(one));
  if (was_empty || to_apply_.size() >= kWorthApplying) to_apply_changed_.notify_one();
}

void Committer::write_flushed_mark() {
  if (broken_ || marked_ || last_lsn_ != flushed_lsn_) return;
  std::vector<JournalEntry> mark(1);
  mark[0].type = 0;
  mark[0].lsn = last_lsn_ + 1;
  mark[0].payload = encode_fact(Nothing{});
  marked_ = true;
  mark_incarnation_ = p_.volume->device->incarnation();
  if (p_.journal->append(mark, flushed_lsn_, Purpose::kDelete)) {
    ++last_lsn_;
  } else {
    broken_ = true;
  }
}

// After a broken session: has another host opened the pool meanwhile?
Result<void> Committer::check_still_ours() {
  HF_TRY(const Superblock current, read_superblock(*p_.volume->device));
  if (current.holder == p_.superblock->holder && current.layout.pool_id == p_.superblock->layout.pool_id) return {};
  return error(Code::kPermissionDenied, Subject::kDevice, "another host has opened the pool; this one has stopped");
}

// Voids what the failed group may have left: a new epoch begins behind the last acknowledged record.
Result<void> Committer::restart_epoch() {
  BlockDevice& device = *p_.volume->device;
  p_.journal->abandon_segment();
  HF_CHECK(check_still_ours());
  ++p_.superblock->epoch;
  HF_CHECK(write_superblock(device, *p_.superblock));
  p_.volume->allocator->set_epoch(p_.superblock->epoch);
  std::vector<JournalEntry> start(1);
  start[0].type = static_cast<uint8_t>(Fact(EpochStart{}).index());
  start[0].lsn = flushed_lsn_ + 1;
  start[0].payload = encode_fact(EpochStart{p_.superblock->epoch, flushed_lsn_, p_.clock->wall_ms()});
  const uint64_t incarnation = device.incarnation();
  HF_CHECK(p_.journal->append(start, flushed_lsn_, Purpose::kOpening));
  HF_CHECK(device.flush());
  if (device.incarnation() != incarnation) return error(lost_session());
  last_lsn_ = flushed_lsn_ = start[0].lsn;
  marked_ = false;
  broken_ = false;
  std::lock_guard lock(mutex_);
  ++statistics_.epoch_restarts;
  return {};
}

void Committer::apply_loop() {
  pthread_setname_np(pthread_self(), "index-writer");
  std::unique_lock lock(mutex_);
  for (;;) {
    to_apply_changed_.wait(lock, [&] { return committer_done_ || !to_apply_.empty(); });
    if (to_apply_.empty()) return;
    to_apply_changed_.wait_for(lock, kApplyAfter, [&] { return committer_done_ || to_apply_.size() >= kWorthApplying || awaited_lsn_ > applied_lsn_; });
    std::vector<IndexEntry> batch;
    for (const Pending& one : to_apply_) {
      if (batch.size() == kApplyBatch) break;
      batch.push_back({one.lsn, one.checksum, one.address, &one.fact});
    }
    lock.unlock();
    auto freed = p_.index->apply(batch);  // to_apply_ only grows at its end meanwhile: its elements stay in place
    if (!freed) {
      spdlog::error("the index cannot be written, retrying: {}", freed.error().to_string());
      lock.lock();
      if (committer_done_) return;  // the next opening brings it forward from the log
      to_apply_changed_.wait_for(lock, kRetryPause, [&] { return committer_done_; });
      continue;
    }
    for (const FreedBytes& f : *freed) p_.volume->allocator->remove_live(f.segment, f.generation, f.bytes);
    p_.overlay->trim(batch.back().lsn);
    lock.lock();
    applied_lsn_ = batch.back().lsn;
    to_apply_.erase(to_apply_.begin(), to_apply_.begin() + static_cast<ptrdiff_t>(batch.size()));
    applied_changed_.notify_all();
  }
}

}  // namespace holdfast
