// The first block of every segment: which life it is in, and what for.
#pragma once

#include <string>

#include "storage/crypto/aead.h"
#include "storage/log/layout.h"

namespace holdfast {

enum class SegmentKind : uint8_t { kJournal = 1, kBulk = 2 };

struct SegmentHeader {
  SegmentKind kind = SegmentKind::kBulk;
  uint32_t segment = 0;
  Generation generation = 0;
  Lsn first_lsn = 0;           // journal only: the LSN of its first record
  std::string wrapped_key;     // journal of an encrypted pool: the segment's key, wrapped by the pool key
};

Bytes encode_segment_header(const Layout& layout, const SegmentHeader& header);
// kNotFound: no header of this pool and segment. kCorrupt: one that fails its check.
Result<SegmentHeader> decode_segment_header(const Layout& layout, uint32_t segment, ByteSpan block);

}  // namespace holdfast
