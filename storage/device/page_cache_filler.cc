#include "storage/device/page_cache_filler.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>

namespace holdfast {

namespace {
constexpr uint64_t kPageBytes = 4096;
// So few pages of a stretch are tables and headers that were read alone. More of them may be somebody's hot data, or just on their way in.
constexpr size_t kFewPages = 32;
// Behind what is read in the kernel reads on, as far as its read-ahead goes (128 KiB to 8 MiB), and stops taking whole folios at the first such page.
constexpr uint64_t kReadOnBytes = 8 << 20;
}  // namespace

PageCacheFiller::PageCacheFiller(int fd, uint64_t size_bytes) : fd_(fd), size_bytes_(size_bytes) {
  void* map = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return;
  // Without MADV_RANDOM each fault would read one stretch more than is asked for.
  if (::madvise(map, size_bytes_, MADV_HUGEPAGE) != 0 || ::madvise(map, size_bytes_, MADV_RANDOM) != 0) {
    ::munmap(map, size_bytes_);
    return;
  }
  map_ = static_cast<char*>(map);
}

PageCacheFiller::~PageCacheFiller() {
  if (map_ != nullptr) ::munmap(map_, size_bytes_);
}

void PageCacheFiller::fill(uint64_t offset, uint64_t length) const {
  if (map_ == nullptr) return;
  const uint64_t end = std::min(offset + length, size_bytes_);
  for (uint64_t at = offset / kStretchBytes * kStretchBytes; at < end; at += kStretchBytes) {
    const uint64_t bytes = std::min(kStretchBytes, size_bytes_ - at);
    if (pages_held(at, bytes) * kPageBytes >= bytes) continue;
    for (uint64_t ahead = 0; ahead <= kReadOnBytes; ahead += kStretchBytes) drop_strays(at + ahead);
    const uint64_t page = std::max(at, offset / kPageBytes * kPageBytes);
    if (::madvise(map_ + page, kPageBytes, MADV_POPULATE_READ) != 0) return;
    // Unmapped at once: what is mapped counts as memory of this process.
    (void)::madvise(map_ + at, bytes, MADV_DONTNEED);
  }
}

void PageCacheFiller::drop_strays(uint64_t offset) const {
  if (offset >= size_bytes_) return;
  const uint64_t bytes = std::min(kStretchBytes, size_bytes_ - offset);
  const size_t held = pages_held(offset, bytes);
  if (held > 0 && held <= kFewPages) (void)::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

bool PageCacheFiller::may_hold(uint64_t offset, uint64_t length) const {
  if (map_ == nullptr || length < kLeastAskBytes || offset + length > size_bytes_) return true;
  const uint64_t end = offset + length;
  for (uint64_t at = offset / kPageBytes * kPageBytes; at < end; at += kStretchBytes) {
    const uint64_t bytes = std::min(end - at, kStretchBytes);
    if (pages_held(at, bytes) * kPageBytes < bytes) return false;
  }
  return true;
}

size_t PageCacheFiller::pages_held(uint64_t offset, uint64_t bytes) const {
  std::array<unsigned char, kStretchBytes / kPageBytes> held;
  const size_t pages = (bytes + kPageBytes - 1) / kPageBytes;
  if (::mincore(map_ + offset, bytes, held.data()) != 0) return pages;
  return static_cast<size_t>(std::count_if(held.begin(), held.begin() + static_cast<ptrdiff_t>(pages), [](unsigned char page) { return (page & 1) != 0; }));
}

}  // namespace holdfast
