// Brings parts of a file into the kernel's page cache in pieces as large as it has. Private to storage/device.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast {

// Bodies of several uploads lie interleaved in a pool, so a reader of one jumps between extents, and beside it run others. To the kernel's
// read-ahead none of them is sequential: it fills the cache with single pages, and to copy a body out of those costs three to five times the
// processor time that it takes out of folios of 2 MiB. A fault in a mapping for huge pages (madvise(2), MADV_HUGEPAGE) reads whole folios where the
// file system has them, and the stretch as a whole where it has not. The mapping serves for that alone: nothing is read through it, so a device
// that fails does not raise SIGBUS.
//
// Thread-safe. Does nothing where the kernel cannot do that.
class PageCacheFiller {
 public:
  // Borrows `fd`.
  PageCacheFiller(int fd, uint64_t size_bytes);
  ~PageCacheFiller();
  PageCacheFiller(const PageCacheFiller&) = delete;
  PageCacheFiller& operator=(const PageCacheFiller&) = delete;

  // Reads in the stretches that the range touches, and waits for a page of each. Pages that were read alone before are dropped for it: one of them would
  // keep all of a stretch in single pages. What fails here fails again, with its reason, when it is read.
  void fill(uint64_t offset_bytes, uint64_t length_bytes) const;

  // Whether a read of this range would find all of it. To try is not the same: preadv2() with RWF_NOWAIT begins to read in, by single pages.
  // Of a short range, and where the kernel cannot tell, this is true.
  bool may_hold(uint64_t offset_bytes, uint64_t length_bytes) const;

  static constexpr uint64_t kStretchBytes = 2 << 20;
  static constexpr uint64_t kLeastAskBytes = 64 << 10;

 private:
  // Of the pages of this range, from a whole one on; all, where the kernel does not say.
  size_t pages_held(uint64_t offset_bytes, uint64_t length_bytes) const;
  void drop_strays(uint64_t stretch_bytes) const;

  int fd_;
  char* map_ = nullptr;
  uint64_t size_bytes_;
};

}  // namespace holdfast
