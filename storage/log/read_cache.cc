#include "storage/log/read_cache.h"

#include <algorithm>

namespace holdfast {

namespace {
constexpr uint64_t kEntryBytes = 160;  // beside its bytes
}  // namespace

size_t ReadCache::Hash::operator()(const CachePlace& p) const {
  // Offsets are multiples of powers of two: the multiplication spreads them over the high bits.
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  const uint64_t mixed = ((p.generation * kOdd) ^ p.segment) * kOdd ^ p.offset_bytes;
  return (mixed * kOdd) >> 32;
}

bool ReadCache::get(const CachePlace& place, size_t from, MutableByteSpan out) {
  const auto bytes = blocks_.get(place, [&](const Bytes& b) { return from <= b.size() && b.size() - from >= out.size(); });
  if (!bytes) return false;
  std::copy_n(bytes->begin() + static_cast<ptrdiff_t>(from), out.size(), out.begin());
  return true;
}

void ReadCache::put(const CachePlace& place, ByteSpan bytes) {
  // Who reads a block in small pieces brings it with each of them: it is copied once.
  if (blocks_.contains(place)) return;
  blocks_.put(place, std::make_shared<const Bytes>(bytes.begin(), bytes.end()), bytes.size() + kEntryBytes);
}

}  // namespace holdfast
