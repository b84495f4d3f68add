#include "storage/log/allocator.h"

namespace holdfast {

using State = SegmentUsage::State;

namespace {
// Free segments that are not discarded: what is written next goes there.
constexpr size_t kMinBacked = 4, kBackedPart = 16;
constexpr uint64_t kDiscardBytes = 16 << 20;
}  // namespace

Allocator::Allocator(const Layout& layout, uint32_t epoch)
    : layout_(layout), epoch_(epoch), entries_(layout.segment_count) {
  for (uint32_t i = 0; i < layout.segment_count; ++i) free_.push_back(i);
}

void Allocator::adopt(uint32_t segment, SegmentKind kind, Generation generation, uint64_t live_bytes) {
  std::lock_guard lock(mutex_);
  Entry& e = entries_[segment];
  e.state = State::kSealed;
  e.kind = kind;
  e.generation = generation;
  e.live_bytes = live_bytes;
  std::erase(free_, segment);
}

void Allocator::adopt_extent(uint32_t segment, Generation generation, uint64_t live_bytes) {
  {
    std::lock_guard lock(mutex_);
    Entry& e = entries_[segment];
    if (e.state != State::kFree) {
      if (e.generation == generation) e.live_bytes += live_bytes;
      return;
    }
  }
  adopt(segment, SegmentKind::kBulk, generation, live_bytes);
}

uint32_t Allocator::floor_of(Purpose purpose) const {
  switch (purpose) {
    case Purpose::kOpening: return 0;
    case Purpose::kCompaction: return kOpeningReserve;
    case Purpose::kDelete: return kOpeningReserve + kCompactionReserve;
    case Purpose::kDeleteMarker: return kOpeningReserve + kCompactionReserve + kDeleteReserve / 2;
    case Purpose::kPut: return kReserveSegments;
  }
  return kReserveSegments;
}

bool Allocator::has_room(Purpose purpose) const {
  std::lock_guard lock(mutex_);
  return free_count() > floor_of(purpose);
}

Result<SegmentLease> Allocator::allocate(SegmentKind kind, Purpose purpose) {
  std::lock_guard lock(mutex_);
  if (free_count() <= floor_of(purpose)) {
    return error(Code::kOutOfSpace, Subject::kPool,
                 "the pool is full: " + std::to_string(free_count()) + " of " + std::to_string(entries_.size()) +
                     " segments are free and reserved");
  }
  std::deque<uint32_t>& from = backed_.empty() ? free_ : backed_;
  const uint32_t segment = from.front();
  from.pop_front();
  ++turnover_;
  Entry& e = entries_[segment];
  e = Entry{};
  e.state = State::kOpen;
  e.kind = kind;
  e.generation = make_generation(epoch_, next_counter_++);
  return SegmentLease{segment, e.generation};
}

void Allocator::seal(uint32_t segment) {
  std::lock_guard lock(mutex_);
  entries_[segment].state = State::kSealed;
  leave_if_dead(segment);
}

void Allocator::hold(uint32_t segment) {
  std::lock_guard lock(mutex_);
  ++entries_[segment].holds;
}

void Allocator::release(uint32_t segment) {
  std::lock_guard lock(mutex_);
  --entries_[segment].holds;
  leave_if_dead(segment);
}

void Allocator::add_live(uint32_t segment, Generation generation, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  Entry& e = entries_[segment];
  if (e.generation == generation) e.live_bytes += bytes;
}

void Allocator::remove_live(uint32_t segment, Generation generation, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  Entry& e = entries_[segment];
  if (e.generation != generation) return;
  e.live_bytes -= std::min(bytes, e.live_bytes);
  leave_if_dead(segment);
}

void Allocator::leave_if_dead(uint32_t segment) {
  Entry& e = entries_[segment];
  if (e.state != State::kSealed || e.kind != SegmentKind::kBulk || e.live_bytes != 0 || e.holds != 0) return;
  e.state = State::kLeaving;
  leaving_.push_back({segment, readers_.mark()});
}

void Allocator::retire_journal(uint32_t segment) {
  std::lock_guard lock(mutex_);
  entries_[segment].state = State::kLeaving;
  leaving_.push_back({segment, readers_.mark()});
}

uint32_t Allocator::reclaim() {
  uint32_t freed = 0;
  std::lock_guard lock(mutex_);
  while (!leaving_.empty() && readers_.passed(leaving_.front().stamp)) {
    const uint32_t segment = leaving_.front().segment;
    leaving_.pop_front();
    entries_[segment] = Entry{};
    backed_.push_back(segment);
    ++freed;
  }
  turnover_ += freed;
  return freed;
}

bool Allocator::discard_one(BlockDevice& device, bool all) {
  uint32_t segment = 0;
  {
    std::lock_guard lock(mutex_);
    const size_t kept = all ? 0 : std::max<size_t>(kMinBacked, entries_.size() / kBackedPart);
    if (backed_.size() <= kept || free_count() <= kReserveSegments) return false;
    segment = backed_.front();
    backed_.pop_front();
    entries_[segment].state = State::kLeaving;  // its discard must have ended before it is written again
  }
  // In steps: a file system holds up the writes of others to the file while it frees blocks. A step that fails leaves old bytes, which no
  // checksum of the next generation accepts.
  for (uint64_t at = 0; at < layout_.segment_bytes; at += kDiscardBytes) {
    (void)device.discard(layout_.segment_offset(segment) + at, std::min(kDiscardBytes, layout_.segment_bytes - at));
  }
  std::lock_guard lock(mutex_);
  entries_[segment] = Entry{};
  free_.push_back(segment);
  return true;
}

uint64_t Allocator::turnover() const {
  std::lock_guard lock(mutex_);
  return turnover_;
}

void Allocator::set_epoch(uint32_t epoch) {
  std::lock_guard lock(mutex_);
  epoch_ = epoch;
  next_counter_ = 1;
}

SpaceReport Allocator::report() const {
  std::lock_guard lock(mutex_);
  SpaceReport r;
  r.capacity_bytes = layout_.segment_bytes * entries_.size();
  uint64_t used_segments = 0;
  for (const Entry& e : entries_) {
    if (e.state == State::kFree) continue;
    ++used_segments;
    (e.kind == SegmentKind::kJournal ? r.live_journal_bytes : r.live_bulk_bytes) += e.live_bytes;
    ++(e.kind == SegmentKind::kJournal ? r.journal_segments : r.bulk_segments);
  }
  r.free_segments = static_cast<uint32_t>(free_count());
  const uint64_t reserve_segments = std::min<uint64_t>(kReserveSegments, free_count());
  r.reserve_bytes = reserve_segments * layout_.segment_bytes;
  r.free_bytes = (free_count() - reserve_segments) * layout_.segment_bytes;
  r.garbage_bytes = used_segments * layout_.segment_bytes - r.live_journal_bytes - r.live_bulk_bytes;
  return r;
}

std::vector<SegmentUsage> Allocator::usage() const {
  std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

}  // namespace holdfast
