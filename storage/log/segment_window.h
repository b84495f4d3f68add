// Bytes of segments, read a megabyte at a time.
#pragma once

#include "storage/log/volume.h"

namespace holdfast {

// Not thread-safe.
class SegmentWindow {
 public:
  explicit SegmentWindow(const Volume& volume) : volume_(&volume) {}

  // Bytes of a segment from `offset` on: at least `want`, or fewer at the segment's end. Valid until the next call.
  Result<ByteSpan> at(uint32_t segment, uint64_t offset, uint64_t want);

 private:
  const Volume* volume_;
  AlignedBuffer bytes_;
  uint32_t segment_ = UINT32_MAX;
  uint64_t base_ = 0, size_ = 0;
};

}  // namespace holdfast
