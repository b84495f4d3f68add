#include "storage/log/segment_window.h"

#include <algorithm>

namespace holdfast {

namespace {
constexpr uint64_t kReadBytes = 1 << 20;
}

Result<ByteSpan> SegmentWindow::at(uint32_t segment, uint64_t offset, uint64_t want) {
  const uint64_t end = std::min(offset + want, volume_->layout.segment_bytes);
  if (offset >= end) return ByteSpan{};
  const bool covered = segment == segment_ && offset >= base_ && end <= base_ + size_;
  if (!covered) {
    const uint64_t base = offset / 512 * 512;
    const uint64_t n = std::min(align_up(std::max(end - base, kReadBytes), 512), volume_->layout.segment_bytes - base);
    if (bytes_.size() < n) bytes_ = AlignedBuffer(n);
    segment_ = UINT32_MAX;
    HF_CHECK(read_segment(*volume_, segment, base, bytes_.span().first(n)));
    segment_ = segment;
    base_ = base;
    size_ = n;
  }
  return ByteSpan(bytes_.span()).subspan(offset - base_, base_ + size_ - offset);
}

}  // namespace holdfast
