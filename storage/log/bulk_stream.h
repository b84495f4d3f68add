// Hands out room in bulk segments, one open segment a stream.
#pragma once

#include <mutex>

#include "storage/log/volume.h"

namespace holdfast {

// A longer body has several.
inline constexpr uint64_t kMaxExtentDataBytes = 8 << 20;

// Room for one extent. Holds its segment against reuse until released.
struct ExtentRoom {
  uint32_t segment = 0;
  Generation generation = 0;
  uint32_t offset_bytes = 0;
  uint32_t data_bytes = 0;  // at most what was asked for; less only in whole body blocks
};

// Thread-safe.
class BulkStream {
 public:
  BulkStream(const Volume& volume, Purpose purpose) : volume_(volume), purpose_(purpose) {}

  // Room for up to `want_bytes` of data. kOutOfSpace when the pool has none for this stream's purpose.
  Result<ExtentRoom> take(uint64_t want_bytes);

  // Closes the open segment, so that it can leave when its bytes die.
  void seal();

 private:
  Result<void> open_segment();

  const Volume& volume_;
  const Purpose purpose_;
  std::mutex mutex_;
  bool open_ = false;
  SegmentLease lease_;
  uint64_t used_bytes_ = 0;
};

}  // namespace holdfast
