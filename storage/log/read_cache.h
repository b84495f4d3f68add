// Bodies as they were given to readers, in memory: read, checked and opened once. For devices of which the kernel keeps no pages.
//
// What lies at a place in one life of a segment never changes, so nothing here is ever out of date; what is not asked for any more goes.
#pragma once

#include "storage/base/body_ref.h"
#include "storage/base/sharded_lru.h"

namespace holdfast {

// Where a block of a body, or a record with a small one, begins.
struct CachePlace {
  uint32_t segment = 0;
  uint32_t offset_bytes = 0;
  Generation generation = 0;
  bool operator==(const CachePlace&) const = default;
};

// Thread-safe, and holds no lock while it copies.
class ReadCache {
 public:
  explicit ReadCache(uint64_t max_bytes) : blocks_(max_bytes), max_bytes_(max_bytes) {}

  // Fills `out` with what lies at the place from its byte `from` on; false when it is not here.
  bool get(const CachePlace& place, size_t from, MutableByteSpan out);
  void put(const CachePlace& place, ByteSpan bytes);
  // One that would drive out too much of the rest, only to be driven out by itself, is not kept.
  bool is_worth(uint64_t body_bytes) const { return body_bytes <= max_bytes_ / 8; }

  CacheStatistics statistics() const { return blocks_.statistics(); }

 private:
  struct Hash {
    size_t operator()(const CachePlace& p) const;
  };
  ShardedLru<CachePlace, Bytes, Hash> blocks_;
  const uint64_t max_bytes_;
};

}  // namespace holdfast
