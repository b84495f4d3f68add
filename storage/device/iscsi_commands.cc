#include "storage/device/iscsi_commands.h"

#include <algorithm>

namespace holdfast {

namespace {

constexpr uint64_t kUsualBytes = 512 << 10, kLeastBytes = 64 << 10, kMostBytes = 1 << 20;
constexpr size_t kLeastDepth = 16, kMostDepth = 64;
constexpr uint64_t kLinkBytesPerSecond = 1'250'000'000;
constexpr auto kServiceTime = std::chrono::milliseconds(5);
constexpr size_t kDoneBeforeOneMore = 64;
constexpr auto kRest = std::chrono::milliseconds(20);

}  // namespace

uint32_t command_bytes(const LinkInfo& link, uint32_t block_bytes, uint32_t sector_bytes) {
  uint64_t bytes = kUsualBytes;
  if (link.best_bytes >= kLeastBytes && link.best_bytes <= kMostBytes) bytes = link.best_bytes;
  if (link.most_bytes != 0) bytes = std::min(bytes, link.most_bytes);
  const uint64_t unit = bytes >= block_bytes ? block_bytes : sector_bytes;
  return static_cast<uint32_t>(std::max(bytes / unit, uint64_t{1}) * unit);
}

size_t command_depth(const LinkInfo& link) {
  const auto us = static_cast<uint64_t>(std::chrono::microseconds(link.round_trip + kServiceTime).count());
  const uint64_t under_way = kLinkBytesPerSecond * std::min(us, uint64_t{1'000'000}) / 1'000'000;
  return std::clamp(static_cast<size_t>(under_way / link.command_bytes), kLeastDepth, kMostDepth);
}

void CommandWindow::done() {
  if (depth_ == most_ || ++done_ < kDoneBeforeOneMore) return;
  done_ = 0;
  ++depth_;
}

void CommandWindow::refused(size_t under_way, TimePoint now) {
  done_ = 0;
  if (under_way == 0) resume_ = now + kRest;
  depth_ = std::min(depth_, std::max<size_t>(under_way, 1));
}

std::chrono::milliseconds CommandWindow::rest(TimePoint now) const {
  return now >= resume_ ? std::chrono::milliseconds(0) : std::chrono::ceil<std::chrono::milliseconds>(resume_ - now);
}

}  // namespace holdfast
