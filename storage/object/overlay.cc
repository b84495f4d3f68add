#include "storage/object/overlay.h"

#include <mutex>

namespace holdfast {

KeyChanges Overlay::changes(BucketId bucket, const std::string& key) const {
  KeyChanges out;
  std::shared_lock lock(mutex_);
  const auto found = changes_.find({bucket, key});
  if (found == changes_.end()) return out;
  for (const auto& [seq, change] : found->second) out.emplace(seq, change.version);
  return out;
}

void Overlay::set(const Key& key, VersionSeq seq, VersionPtr version, Lsn lsn) {
  changes_[key][seq] = Change{std::move(version), lsn};
  order_.push_back({lsn, key, seq});
}

void Overlay::put(VersionPtr version, Lsn lsn) {
  std::unique_lock lock(mutex_);
  const Key key{version->info.bucket, version->info.key};
  const VersionSeq seq = version->info.seq;
  set(key, seq, std::move(version), lsn);
}

void Overlay::remove(BucketId bucket, const std::string& key, VersionSeq seq, Lsn lsn) {
  std::unique_lock lock(mutex_);
  set({bucket, key}, seq, nullptr, lsn);
}

void Overlay::absorb(Overlay& other) {
  std::unique_lock lock(mutex_);
  std::unique_lock other_lock(other.mutex_);
  for (const Item& item : other.order_) {
    const Change& change = other.changes_[item.key][item.seq];
    if (change.lsn == item.lsn) set(item.key, item.seq, change.version, item.lsn);
  }
  other.changes_.clear();
  other.order_.clear();
}

void Overlay::trim(Lsn lsn) {
  const uint64_t stamp = readers_.mark();
  std::unique_lock lock(mutex_);
  applied_.emplace_back(stamp, lsn);
  while (!applied_.empty() && readers_.passed(applied_.front().first)) {
    while (!order_.empty() && order_.front().lsn <= applied_.front().second) {
      const Item& item = order_.front();
      const auto key = changes_.find(item.key);
      if (key != changes_.end()) {
        const auto change = key->second.find(item.seq);
        if (change != key->second.end() && change->second.lsn == item.lsn) key->second.erase(change);
        if (key->second.empty()) changes_.erase(key);
      }
      order_.pop_front();
    }
    applied_.pop_front();
  }
}

size_t Overlay::size() const {
  std::shared_lock lock(mutex_);
  return order_.size();
}

}  // namespace holdfast
