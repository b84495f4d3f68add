// The newest version of keys that are read again and again, as the index has it.
#pragma once

#include <string_view>

#include "storage/base/sharded_lru.h"
#include "storage/index/facts.h"

namespace holdfast {

// Thread-safe. Never says what the index does not: who changes a key in it calls forget() after the change is there, before anything
// relies on it. (The overlay, which readers ask first, holds each change until then.)
class VersionCache {
 public:
  explicit VersionCache(uint64_t max_bytes) : versions_(max_bytes) {}

  // Null: not known here.
  VersionPtr get(BucketId bucket, std::string_view key) { return versions_.get({bucket, key}); }
  // Take this before reading from the index, and give it back with what was read.
  uint64_t changes(BucketId bucket, std::string_view key) { return versions_.erasures({bucket, key}); }
  void put(VersionPtr version, uint64_t changes);
  void forget(BucketId bucket, std::string_view key) { versions_.erase({bucket, key}); }
  // Forgets the keys whose versions the fact changes.
  void forget(const Fact& fact);

  CacheStatistics statistics() const { return versions_.statistics(); }

 private:
  struct Key {
    BucketId bucket = 0;
    std::string_view key;  // of an entry: within its value
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& k) const;
  };
  ShardedLru<Key, StoredVersion, Hash> versions_;
};

}  // namespace holdfast
