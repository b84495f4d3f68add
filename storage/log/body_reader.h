// Reads a body from bulk segments; every byte is checked, and opened when encrypted, before it is given out.
#pragma once

#include "storage/base/body_ref.h"
#include "storage/log/volume.h"

namespace holdfast {

// Not thread-safe. The caller keeps a pin on volume.allocator->readers() from before it looked `ref` up.
class BodyReader {
 public:
  BodyReader(const Volume& volume, BodyRef ref);

  // Fills `out` from the body's `offset_bytes` on; the range must lie within the body. kCorrupt names the
  // segment and the place when a block fails its check.
  Result<void> read(uint64_t offset_bytes, MutableByteSpan out);

  // The same where nothing must be waited for: what is in the volume's cache, or whole blocks of which the kernel has the pages. Else false,
  // and nothing of `out` may be used.
  Result<bool> read_cached(uint64_t offset_bytes, MutableByteSpan out);

  // Reads and checks every block (CRC and table; needs no key). For scrubbing and for the log's tail.
  Result<void> verify();

  const BodyRef& ref() const { return ref_; }

 private:
  // Where its table lies in its segment, in whole sectors.
  struct TablePlace {
    uint64_t from_bytes, to_bytes, table_bytes;
  };
  TablePlace table_place(size_t extent) const;
  Result<void> load_table(size_t extent);
  // Before blocks are read; a long read brings in what lies about them, and about the table.
  void fill_cache(size_t extent, uint64_t first_block, uint64_t length_bytes) const;
  Result<bool> load_table_cached(size_t extent);
  Result<void> take_table(size_t extent, const TablePlace& place, ByteSpan raw);
  Result<bool> read_block_cached(size_t extent, uint64_t block, MutableByteSpan out);
  CachePlace cache_place(size_t extent, uint64_t block) const;
  void keep(size_t extent, uint64_t block, ByteSpan plain);
  size_t extent_of(uint64_t offset_bytes, size_t from) const;
  // Reads blocks [first, last] of the extent into buffer_ and checks their CRCs.
  Result<void> load_blocks(size_t extent, uint64_t first, uint64_t last);
  // Whole blocks straight into `out`, where they are checked and opened one after the other.
  Result<void> read_blocks(size_t extent, uint64_t first, MutableByteSpan out);
  Result<void> check_block(size_t extent, uint64_t block, ByteSpan stored) const;
  // `out` has the size of `stored`, and may be it.
  Result<void> open_block(size_t extent, uint64_t block, ByteSpan stored, MutableByteSpan out);
  // A whole block, just read, becomes what was stored, in place.
  Result<void> take_block(size_t extent, uint64_t block, MutableByteSpan stored);
  Result<void> give(size_t extent, uint64_t block, uint64_t from, MutableByteSpan out);
  Status damaged(size_t extent, std::string_view what) const;

  const Volume& volume_;
  BodyRef ref_;
  std::vector<uint64_t> starts_;  // of each extent in the body
  std::optional<SecretKey> key_;
  size_t table_of_ = SIZE_MAX;
  Bytes table_;
  AlignedBuffer buffer_;
  size_t buffer_extent_ = SIZE_MAX;
  uint64_t buffer_first_ = 0;
  uint64_t buffer_last_ = 0;
};

}  // namespace holdfast
