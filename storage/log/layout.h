// Where things lie on a device: a header area with two superblock copies, then segments of one size.
// Byte by byte in docs/formats/log.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "storage/base/body_ref.h"
#include "storage/base/bytes.h"
#include "storage/base/checksum.h"

namespace holdfast {

inline constexpr uint64_t kHeaderAreaBytes = 1 << 20;
inline constexpr uint64_t kSuperblockBytes = 64 << 10;
inline constexpr uint64_t kSuperblockOffsets[2] = {0, 512 << 10};
inline constexpr uint64_t kHeartbeatOffset = 960 << 10;  // one block, for devices without reservations
inline constexpr uint32_t kMinSegments = 64;
inline constexpr uint64_t kDefaultSegmentBytes = 64 << 20;

// The upper half of a generation is the epoch that allocated it, the lower a counter within it, so that none is
// ever used twice.
constexpr Generation make_generation(uint32_t epoch, uint32_t counter) {
  return (static_cast<uint64_t>(epoch) << 32) | counter;
}
constexpr uint32_t epoch_of(Generation generation) { return static_cast<uint32_t>(generation >> 32); }

struct Layout {
  PoolId pool_id{};
  uint32_t device_id = 0;
  uint32_t block_bytes = 4096;
  uint64_t segment_bytes = kDefaultSegmentBytes;
  uint32_t segment_count = 0;

  uint64_t segment_offset(uint32_t segment) const { return kHeaderAreaBytes + segment * segment_bytes; }

  // What every checksum in a segment starts from: pool, device, segment, generation (and with it the epoch) and
  // the address. Bytes from an earlier life of the segment, or written to another place, fail their check.
  uint32_t checksum_seed(uint32_t segment, Generation generation, uint64_t offset_in_segment) const {
    std::byte context[40];
    std::copy(pool_id.begin(), pool_id.end(), context);
    store_le(context + 16, device_id);
    store_le(context + 20, segment);
    store_le(context + 24, generation);
    store_le(context + 32, offset_in_segment);
    return crc32c(context);
  }
};

}  // namespace holdfast
