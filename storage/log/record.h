// One journal record: a fixed header, a payload sealed with the segment's key, checked as a whole.
#pragma once

#include <optional>

#include "storage/crypto/aead.h"
#include "storage/log/layout.h"

namespace holdfast {

struct RecordHeader {
  static constexpr uint32_t kMagic = 0x43524648;  // "HFRC"
  static constexpr size_t kBytes = 40;

  uint32_t checksum = 0;
  uint32_t total_bytes = 0;    // multiple of 8
  uint32_t payload_bytes = 0;
  Lsn lsn = 0;
  Lsn flushed_lsn = 0;         // every record up to this one was durable when this one was written
  uint8_t type = 0;
  bool last_in_group = false;  // the rest of the block is padding
  bool sealed = false;
};

// The identity and key under which the records of one segment are written and read.
struct SegmentContext {
  const Layout* layout = nullptr;
  uint32_t segment = 0;
  Generation generation = 0;
  std::optional<SecretKey> key;  // none on a pool without encryption
};

size_t record_bytes(size_t payload_bytes, bool sealed);

// Appends the record to `out` at `offset_in_segment`; fills in checksum, sizes and `sealed`. The nonce is the
// offset: a place is never written twice with other bytes in one life of a segment.
void encode_record(const SegmentContext& context, uint32_t offset_in_segment, RecordHeader& header, ByteSpan payload,
                   MutableByteSpan out);

// Reads a header without checking the record. Nothing: these bytes are no record header.
std::optional<RecordHeader> peek_record(ByteSpan bytes);

// Checks the whole record at the start of `bytes` (at least header.total_bytes) without opening it.
bool check_record(const SegmentContext& context, uint32_t offset_in_segment, const RecordHeader& header, ByteSpan bytes);

// Checks and opens. kCorrupt with the place when a check fails.
Result<Bytes> open_record(const SegmentContext& context, uint32_t offset_in_segment, ByteSpan bytes, RecordHeader* header);

}  // namespace holdfast
