#include "storage/log/read_cache.h"

#include <algorithm>

namespace holdfast {

size_t ReadCache::Hash::operator()(const CachePlace& p) const {
  // Offsets are multiples of powers of two: the multiplication spreads them over the high bits.
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  const uint64_t mixed = ((p.generation * kOdd) ^ p.segment) * kOdd ^ p.offset_bytes;
  return (mixed * kOdd) >> 32;
}

bool ReadCache::get(const CachePlace& place, size_t from, MutableByteSpan out) {
  std::shared_ptr<const Bytes> bytes;
  {
    Shard& shard = shard_of(place);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.places.find(place);
    if (found == shard.places.end() || from > found->second->bytes->size() || found->second->bytes->size() - from < out.size()) {
      ++shard.misses;
      return false;
    }
    ++shard.hits;
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    bytes = found->second->bytes;
  }
  std::copy_n(bytes->begin() + static_cast<ptrdiff_t>(from), out.size(), out.begin());
  return true;
}

void ReadCache::put(const CachePlace& place, ByteSpan bytes) {
  const uint64_t cost = bytes.size() + kEntryBytes, room = max_bytes_ / kShards;
  if (cost > room) return;
  Shard& shard = shard_of(place);
  {
    // Who reads a block in small pieces brings it with each of them: it is copied once.
    std::lock_guard lock(shard.mutex);
    if (shard.places.contains(place)) return;
  }
  Entry entry{place, std::make_shared<const Bytes>(bytes.begin(), bytes.end())};
  std::list<Entry> gone;  // ends after the lock
  std::lock_guard lock(shard.mutex);
  if (shard.places.contains(place)) return;
  while (shard.bytes + cost > room) {
    shard.bytes -= shard.entries.back().bytes->size() + kEntryBytes;
    shard.places.erase(shard.entries.back().place);
    gone.splice(gone.begin(), shard.entries, std::prev(shard.entries.end()));
  }
  shard.bytes += cost;
  shard.entries.push_front(std::move(entry));
  shard.places.emplace(place, shard.entries.begin());
}

ReadCache::Statistics ReadCache::statistics() const {
  Statistics s;
  s.max_bytes = max_bytes_;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    s.bytes += shard.bytes;
    s.hits += shard.hits;
    s.misses += shard.misses;
  }
  return s;
}

}  // namespace holdfast
