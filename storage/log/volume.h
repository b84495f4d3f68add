// An opened pool's device with everything that reading and writing it needs: shape, space and the pool key.
#pragma once

#include <memory>
#include <optional>

#include "storage/crypto/aead.h"
#include "storage/device/block_device.h"
#include "storage/log/allocator.h"
#include "storage/log/layout.h"
#include "storage/log/read_cache.h"
#include "storage/log/record.h"
#include "storage/log/segment_header.h"

namespace holdfast {

// Filled while a pool opens, not changed afterwards; what it points to is thread-safe.
struct Volume {
  BlockDevice* device = nullptr;
  Layout layout;
  std::optional<SecretKey> pool_key;  // none on a pool without encryption
  Random* random = nullptr;
  Allocator* allocator = nullptr;
  ReadCache* cache = nullptr;  // none: the kernel has one

  bool encrypted() const { return pool_key.has_value(); }
};

// Bytes of the segment at [offset, offset + out.size()): `offset` and the size are multiples of 512.
Result<void> read_segment(const Volume& volume, uint32_t segment, uint64_t offset_bytes, MutableByteSpan out);

// The same of any length and where the bytes are in memory; else false, see BlockDevice::read_cached().
Result<bool> read_segment_cached(const Volume& volume, uint32_t segment, uint64_t offset_bytes, MutableByteSpan out);

// See BlockDevice::fill_cache().
void fill_segment_cache(const Volume& volume, uint32_t segment, uint64_t offset_bytes, uint64_t length_bytes);

// The header of a journal segment of this generation. kCorrupt when it is another life's or damaged.
Result<SegmentHeader> read_journal_header(const Volume& volume, uint32_t segment, Generation generation);

// From the same header, with the same errors: the key under which the segment's records are sealed.
Result<SegmentContext> journal_context(const Volume& volume, uint32_t segment, Generation generation);

}  // namespace holdfast
