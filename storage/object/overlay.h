// Versions that are durable but not yet in the index. Readers look here first, then in the index.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <shared_mutex>

#include "storage/index/index.h"
#include "storage/log/epoch_gate.h"

namespace holdfast {

// What one layer says about the versions of one key; a null pointer means: removed.
using KeyChanges = std::map<VersionSeq, VersionPtr>;

// Thread-safe. A reader holds a pin from readers() across its look here and its read of the index: entries that
// it may need stay until it has left.
class Overlay {
 public:
  EpochGate& readers() { return readers_; }

  KeyChanges changes(BucketId bucket, const std::string& key) const;
  void put(VersionPtr version, Lsn lsn);
  void remove(BucketId bucket, const std::string& key, VersionSeq seq, Lsn lsn);
  // Takes everything of `other`, at once for all readers.
  void absorb(Overlay& other);
  // The index holds everything up to `lsn`: forgets it once no reader needs it.
  void trim(Lsn lsn);
  size_t size() const;

 private:
  struct Change {
    VersionPtr version;
    Lsn lsn = 0;
  };
  using Key = std::pair<BucketId, std::string>;
  struct Item {
    Lsn lsn;
    Key key;
    VersionSeq seq;
  };
  void set(const Key& key, VersionSeq seq, VersionPtr version, Lsn lsn);

  mutable std::shared_mutex mutex_;
  std::map<Key, std::map<VersionSeq, Change>> changes_;
  std::deque<Item> order_;                            // by lsn
  std::deque<std::pair<uint64_t, Lsn>> applied_;      // gate stamp, applied lsn
  EpochGate readers_;
};

}  // namespace holdfast
