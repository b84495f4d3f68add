// Writes one body of a known size into bulk segments: encrypts and checksums its blocks on the way.
#pragma once

#include "storage/base/body_ref.h"
#include "storage/log/bulk_stream.h"

namespace holdfast {

// Not thread-safe; used by one thread at a time. A writer that is destroyed before its body was committed gives
// its room back: nothing refers to it.
class BodyWriter {
 public:
  BodyWriter(const Volume& volume, BulkStream& stream, uint64_t size_bytes);
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;
  ~BodyWriter();

  Result<void> append(ByteSpan bytes);
  // After exactly size_bytes have been appended. The body is written, not yet flushed.
  Result<BodyRef> finish();

  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t written_bytes() const { return written_bytes_; }
  // The device's incarnation before the first byte went out.
  uint64_t incarnation() const { return incarnation_; }

 private:
  Result<void> take_block(ByteSpan plain);
  Result<void> open_extent();
  Result<void> write_out();
  Result<void> close_extent();

  const Volume& volume_;
  BulkStream& stream_;
  const uint64_t size_bytes_;
  const uint64_t incarnation_;
  BodyRef ref_;
  std::optional<SecretKey> key_;
  std::vector<uint32_t> held_;
  uint64_t written_bytes_ = 0;

  bool extent_open_ = false;
  ExtentRoom room_;
  uint64_t extent_data_ = 0;   // taken into the extent so far
  uint64_t extent_written_ = 0;  // of those, on the device
  Bytes table_;
  AlignedBuffer buffer_;
  size_t buffered_ = 0;
  size_t block_fill_ = 0;      // of the block being gathered
  Bytes block_;
};

// The block that describes an extent for people, behind its table: kExtentTrailerBytes.
Bytes encode_extent_trailer(const ExtentRef& extent, const BodyId& id, uint32_t number, uint64_t body_bytes);

// What a block's tag covers besides its bytes: body, number, whether it is the last.
std::array<std::byte, 25> block_aad(const BodyId& id, uint64_t block, bool last);

}  // namespace holdfast
