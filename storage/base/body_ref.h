// References into a pool's segments: where a record lies, and where a body's bytes lie.
#pragma once

#include <array>
#include <vector>

#include "storage/base/bytes.h"

namespace holdfast {

using PoolId = std::array<std::byte, 16>;
using Lsn = uint64_t;         // position of a record in the journal; 1 is the first; never used twice
using Generation = uint64_t;  // one life of a segment; never used twice
using BodyId = std::array<std::byte, 16>;

inline constexpr uint32_t kBodyBlockBytes = 64 << 10;  // unit of body checksums and of encryption
inline constexpr size_t kTagBytes = 16;                // of AES-256-GCM
inline constexpr size_t kExtentTrailerBytes = 48;

// Where a record lies; also the home of an inline body.
struct RecordAddress {
  uint32_t device = 0;
  uint32_t segment = 0;
  Generation generation = 0;
  uint32_t offset_bytes = 0;  // in the segment
  uint32_t total_bytes = 0;   // header, payload and tag
  bool operator==(const RecordAddress&) const = default;
};

// A run of a body's blocks in one segment: data, then a table of one CRC32C (and one tag, when encrypted) a
// block, then a small trailer that describes the extent for people; all in whole device blocks.
struct ExtentRef {
  uint32_t device = 0;
  uint32_t segment = 0;
  Generation generation = 0;
  uint32_t offset_bytes = 0;    // in the segment
  uint32_t data_bytes = 0;      // a multiple of kBodyBlockBytes but in a body's last extent
  uint32_t table_checksum = 0;  // of the table, seeded with the extent's place
  bool operator==(const ExtentRef&) const = default;
};

struct BodyRef {
  uint64_t size_bytes = 0;
  BodyId id{};
  std::string wrapped_key;  // the body's own key, wrapped by the pool key; empty without encryption
  std::vector<ExtentRef> extents;
  bool operator==(const BodyRef&) const = default;
};

// Bytes that an extent of `data_bytes` takes on a device of that block size.
uint64_t extent_disk_bytes(uint64_t data_bytes, bool encrypted, uint32_t block_bytes);

void encode_body_ref(ByteWriter& w, const BodyRef& ref);
BodyRef decode_body_ref(ByteReader& r);

}  // namespace holdfast
