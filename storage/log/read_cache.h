// Bodies as they were given to readers, in memory: read, checked and opened once. For devices of which the kernel keeps no pages.
//
// What lies at a place in one life of a segment never changes, so nothing here is ever out of date; what is not asked for any more goes.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "storage/base/body_ref.h"

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
  explicit ReadCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Fills `out` with what lies at the place from its byte `from` on; false when it is not here.
  bool get(const CachePlace& place, size_t from, MutableByteSpan out);
  void put(const CachePlace& place, ByteSpan bytes);
  // One that would drive out too much of the rest, only to be driven out by itself, is not kept.
  bool is_worth(uint64_t body_bytes) const { return body_bytes <= max_bytes_ / 8; }

  struct Statistics {
    uint64_t max_bytes = 0, bytes = 0, hits = 0, misses = 0;
  };
  Statistics statistics() const;

 private:
  static constexpr size_t kShards = 16;
  static constexpr uint64_t kEntryBytes = 160;  // beside its bytes

  struct Hash {
    size_t operator()(const CachePlace& p) const;
  };
  struct Entry {
    CachePlace place;
    std::shared_ptr<const Bytes> bytes;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::list<Entry> entries;  // the latest used first
    std::unordered_map<CachePlace, std::list<Entry>::iterator, Hash> places;
    uint64_t bytes = 0, hits = 0, misses = 0;
  };
  Shard& shard_of(const CachePlace& place) { return shards_[Hash()(place) % kShards]; }

  const uint64_t max_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace holdfast
