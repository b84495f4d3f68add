// Which segments are free, open, full or waiting to be reused; how many live bytes each holds; who may take
// the last ones.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "storage/device/block_device.h"
#include "storage/log/epoch_gate.h"
#include "storage/log/segment_header.h"

namespace holdfast {

// What a new segment is for decides how deep into the reserve it may reach.
enum class Purpose { kPut, kDeleteMarker, kDelete, kCompaction, kOpening };

// The reserve, in segments: see "Space" in docs/storage.md.
inline constexpr uint32_t kOpeningReserve = 2;
inline constexpr uint32_t kCompactionReserve = 4;  // two a stream
inline constexpr uint32_t kDeleteReserve = 4;
inline constexpr uint32_t kReserveSegments = kOpeningReserve + kCompactionReserve + kDeleteReserve;

struct SegmentLease {
  uint32_t segment = 0;
  Generation generation = 0;
};

struct SegmentUsage {
  enum class State : uint8_t { kFree, kOpen, kSealed, kLeaving };
  State state = State::kFree;
  SegmentKind kind = SegmentKind::kBulk;
  Generation generation = 0;
  uint64_t live_bytes = 0;
};

struct SpaceReport {
  uint64_t capacity_bytes = 0;  // all segments
  uint64_t live_journal_bytes = 0;
  uint64_t live_bulk_bytes = 0;
  uint64_t reserve_bytes = 0;
  uint64_t free_bytes = 0;      // free segments beyond the reserve
  uint64_t garbage_bytes = 0;   // in used segments, not live: what compaction can win
  uint32_t free_segments = 0;
  uint32_t journal_segments = 0;
  uint32_t bulk_segments = 0;
};

// Thread-safe.
class Allocator {
 public:
  Allocator(const Layout& layout, uint32_t epoch);

  // Called while a pool opens, before anything else.
  void adopt(uint32_t segment, SegmentKind kind, Generation generation, uint64_t live_bytes);

  // Counts live bulk bytes that the index does not know of, adopting their segment if need be.
  void adopt_extent(uint32_t segment, Generation generation, uint64_t live_bytes);

  // kOutOfSpace when only the reserve of others is left.
  Result<SegmentLease> allocate(SegmentKind kind, Purpose purpose);
  bool has_room(Purpose purpose) const;

  void seal(uint32_t segment);
  // Bytes of a body being written: keep its segment from leaving until released.
  void hold(uint32_t segment);
  void release(uint32_t segment);
  void add_live(uint32_t segment, Generation generation, uint64_t bytes);
  void remove_live(uint32_t segment, Generation generation, uint64_t bytes);

  // Journal segments leave by decision (oldest first), bulk segments when their last live byte dies.
  void retire_journal(uint32_t segment);
  // Frees what left before every reader now inside. Returns how many became free.
  uint32_t reclaim();
  // Tells the device that it need not keep the bytes of a free segment, if more of those than will soon be used again still have theirs, or
  // `all` of them are to go. Never into the reserve, which shall not fail for want of space below. False: nothing to do.
  bool discard_one(BlockDevice& device, bool all);
  // How many segments have been taken and freed so far.
  uint64_t turnover() const;

  // Generations handed out from now on belong to this epoch.
  void set_epoch(uint32_t epoch);

  EpochGate& readers() { return readers_; }
  SpaceReport report() const;
  std::vector<SegmentUsage> usage() const;

 private:
  struct Entry : SegmentUsage {
    uint32_t holds = 0;
  };
  struct Leaving {
    uint32_t segment;
    uint64_t stamp;
  };
  uint32_t floor_of(Purpose purpose) const;
  void leave_if_dead(uint32_t segment);

  const Layout layout_;
  uint32_t epoch_;
  mutable std::mutex mutex_;
  uint32_t next_counter_ = 1;
  std::vector<Entry> entries_;
  size_t free_count() const { return free_.size() + backed_.size(); }

  std::deque<uint32_t> free_;    // never used, or discarded
  std::deque<uint32_t> backed_;  // free too, but the device still keeps their old bytes: used again first, which costs it less
  uint64_t turnover_ = 0;
  std::deque<Leaving> leaving_;
  EpochGate readers_;
};

}  // namespace holdfast
