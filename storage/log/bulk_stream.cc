#include "storage/log/bulk_stream.h"

#include "storage/base/body_ref.h"
#include "storage/log/segment_header.h"

namespace holdfast {

namespace {


// The most data that fits in `room_bytes` on the device, or 0.
uint64_t fitting(uint64_t want, uint64_t room_bytes, bool encrypted, uint32_t block_bytes) {
  if (extent_disk_bytes(want, encrypted, block_bytes) <= room_bytes) return want;
  uint64_t data = std::min(want, room_bytes) / kBodyBlockBytes * kBodyBlockBytes;
  while (data > 0 && extent_disk_bytes(data, encrypted, block_bytes) > room_bytes) data -= kBodyBlockBytes;
  return data;
}

}  // namespace

Result<ExtentRoom> BulkStream::take(uint64_t want_bytes) {
  const bool encrypted = volume_.encrypted();
  const uint32_t block = volume_.layout.block_bytes;
  const uint64_t want = std::min(want_bytes, kMaxExtentDataBytes);
  std::lock_guard lock(mutex_);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (open_) {
      const uint64_t data = fitting(want, volume_.layout.segment_bytes - used_bytes_, encrypted, block);
      // A sliver at a segment's end is left over rather than cutting bodies into crumbs.
      const bool worth_it = data == want || data >= 4 * kBodyBlockBytes;
      if (data > 0 && worth_it) {
        ExtentRoom room{lease_.segment, lease_.generation, static_cast<uint32_t>(used_bytes_), static_cast<uint32_t>(data)};
        used_bytes_ += extent_disk_bytes(data, encrypted, block);
        volume_.allocator->hold(lease_.segment);
        return room;
      }
      open_ = false;
      volume_.allocator->seal(lease_.segment);
    }
    HF_CHECK(open_segment());
  }
  // Small segments: a fresh one may hold less than four blocks.
  const uint64_t data = fitting(want, volume_.layout.segment_bytes - used_bytes_, encrypted, block);
  if (data == 0) return error(Code::kInternal, Subject::kPool, "a segment cannot hold one body block");
  ExtentRoom room{lease_.segment, lease_.generation, static_cast<uint32_t>(used_bytes_), static_cast<uint32_t>(data)};
  used_bytes_ += extent_disk_bytes(data, encrypted, block);
  volume_.allocator->hold(lease_.segment);
  return room;
}

Result<void> BulkStream::open_segment() {
  auto lease = volume_.allocator->allocate(SegmentKind::kBulk, purpose_);
  if (!lease && volume_.allocator->reclaim() > 0) {
    lease = volume_.allocator->allocate(SegmentKind::kBulk, purpose_);
  }
  if (!lease) return std::unexpected(lease.error());
  lease_ = *lease;
  SegmentHeader header;
  header.kind = SegmentKind::kBulk;
  header.segment = lease_.segment;
  header.generation = lease_.generation;
  const Bytes block = encode_segment_header(volume_.layout, header);
  if (auto ok = volume_.device->write(volume_.layout.segment_offset(lease_.segment), block); !ok) {
    volume_.allocator->seal(lease_.segment);
    return ok;
  }
  used_bytes_ = volume_.layout.block_bytes;
  open_ = true;
  return {};
}

void BulkStream::seal() {
  std::lock_guard lock(mutex_);
  if (open_) volume_.allocator->seal(lease_.segment);
  open_ = false;
}

}  // namespace holdfast
