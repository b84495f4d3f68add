#include "storage/object/version_view.h"

namespace holdfast {

KeyChanges VersionView::changes(BucketId bucket, const std::string& key) const {
  KeyChanges out = overlay_.changes(bucket, key);
  if (forming_ != nullptr) {
    for (auto& [seq, version] : forming_->changes(bucket, key)) out[seq] = version;
  }
  return out;
}

Result<VersionPtr> VersionView::latest(BucketId bucket, const std::string& key) const {
  const KeyChanges changes = this->changes(bucket, key);
  VersionPtr newest;
  for (auto it = changes.rbegin(); it != changes.rend() && !newest; ++it) newest = it->second;
  HF_TRY(VersionPtr indexed, index_.newest(bucket, key, patience_));
  for (;;) {
    if (!indexed || (newest && newest->info.seq > indexed->info.seq)) return newest;
    const auto changed = changes.find(indexed->info.seq);
    if (changed == changes.end()) return indexed;
    if (changed->second) return changed->second;
    // Removed meanwhile: the one before it.
    HF_TRY(indexed, index_.newest_below(bucket, key, indexed->info.seq, patience_));
  }
}

Result<VersionPtr> VersionView::null_version(BucketId bucket, const std::string& key) const {
  const KeyChanges changes = this->changes(bucket, key);
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {
    if (it->second && it->second->info.is_null) return it->second;
  }
  HF_TRY(VersionPtr indexed, index_.null_version(bucket, key, patience_));
  if (indexed && changes.contains(indexed->info.seq)) indexed = nullptr;
  return indexed;
}

Result<VersionPtr> VersionView::version(BucketId bucket, const std::string& key, VersionSeq seq) const {
  const KeyChanges changes = this->changes(bucket, key);
  if (const auto changed = changes.find(seq); changed != changes.end()) return changed->second;
  return index_.version(bucket, key, seq, patience_);
}

}  // namespace holdfast
