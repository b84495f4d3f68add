// What was used last, up to so many bytes, in shards that lock apart.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace holdfast {

struct CacheStatistics {
  uint64_t max_bytes = 0, bytes = 0, hits = 0, misses = 0;
};

// Thread-safe. A Key may point into its value, which lives as long as its entry.
template <typename Key, typename Value, typename Hash>
class ShardedLru {
 public:
  using ValuePtr = std::shared_ptr<const Value>;

  explicit ShardedLru(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when it is not here, or `fits(value)` says that it is not what is looked for.
  template <typename Fits>
  ValuePtr get(const Key& key, const Fits& fits) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.places.find(key);
    if (found == shard.places.end() || !fits(*found->second->value)) {
      ++shard.misses;
      return nullptr;
    }
    ++shard.hits;
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    return found->second->value;
  }
  ValuePtr get(const Key& key) {
    return get(key, [](const Value&) { return true; });
  }
  bool contains(const Key& key) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    return shard.places.contains(key);
  }

  // Keeps it unless something is there already. `bytes` is what it takes in memory; more than a shard has is not kept.
  void put(const Key& key, ValuePtr value, uint64_t bytes) { put_if(key, std::move(value), bytes, [](const Shard&) { return true; }); }

  // For values that may go out of date: take `erasures` before the value is read from where it is kept, and erase() after it has
  // changed there. One that was read before the change is then not kept after it.
  uint64_t erasures(const Key& key) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    return shard.erasures;
  }
  void put_unless_erased(const Key& key, ValuePtr value, uint64_t bytes, uint64_t erasures) {
    put_if(key, std::move(value), bytes, [erasures](const Shard& shard) { return shard.erasures == erasures; });
  }
  void erase(const Key& key) {
    Shard& shard = shard_of(key);
    std::list<Entry> gone;  // ends after the lock
    std::lock_guard lock(shard.mutex);
    ++shard.erasures;
    if (const auto found = shard.places.find(key); found != shard.places.end()) shard.drop(found->second, gone);
  }

  CacheStatistics statistics() const {
    CacheStatistics s;
    s.max_bytes = max_bytes_;
    for (const Shard& shard : shards_) {
      std::lock_guard lock(shard.mutex);
      s.bytes += shard.bytes;
      s.hits += shard.hits;
      s.misses += shard.misses;
    }
    return s;
  }

 private:
  static constexpr size_t kShards = 16;

  struct Entry {
    Key key;
    ValuePtr value;
    uint64_t bytes;
  };
  using Place = typename std::list<Entry>::iterator;
  struct Shard {
    mutable std::mutex mutex;
    std::list<Entry> entries;  // the latest used first
    std::unordered_map<Key, Place, Hash> places;
    uint64_t bytes = 0, hits = 0, misses = 0, erasures = 0;

    void drop(Place place, std::list<Entry>& gone) {
      bytes -= place->bytes;
      places.erase(place->key);
      gone.splice(gone.begin(), entries, place);
    }
  };
  Shard& shard_of(const Key& key) { return shards_[Hash()(key) % kShards]; }

  template <typename Condition>
  void put_if(const Key& key, ValuePtr value, uint64_t bytes, const Condition& condition) {
    const uint64_t room = max_bytes_ / kShards;
    if (bytes > room) return;
    Shard& shard = shard_of(key);
    std::list<Entry> gone;  // ends after the lock
    std::lock_guard lock(shard.mutex);
    if (shard.places.contains(key) || !condition(shard)) return;
    while (shard.bytes + bytes > room) shard.drop(std::prev(shard.entries.end()), gone);
    shard.bytes += bytes;
    shard.entries.push_front({key, std::move(value), bytes});
    shard.places.emplace(key, shard.entries.begin());
  }

  const uint64_t max_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace holdfast
