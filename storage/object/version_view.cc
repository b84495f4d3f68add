#include "storage/object/version_view.h"

namespace holdfast {

namespace {
VersionPtr shared(std::optional<StoredVersion> version) {
  return version ? std::make_shared<const StoredVersion>(std::move(*version)) : nullptr;
}
}  // namespace

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
  VersionSeq below = UINT64_MAX;
  for (;;) {
    HF_TRY(auto indexed, index_.newest(bucket, key, below, patience_));
    if (!indexed || (newest && newest->info.seq > indexed->info.seq)) return newest;
    const auto changed = changes.find(indexed->info.seq);
    if (changed == changes.end()) return shared(std::move(indexed));
    if (changed->second) return changed->second;
    below = indexed->info.seq;  // removed meanwhile: the one before it
  }
}

Result<VersionPtr> VersionView::null_version(BucketId bucket, const std::string& key) const {
  const KeyChanges changes = this->changes(bucket, key);
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {
    if (it->second && it->second->info.is_null) return it->second;
  }
  HF_TRY(auto indexed, index_.null_version(bucket, key, patience_));
  if (!indexed || changes.contains(indexed->info.seq)) return VersionPtr();
  return shared(std::move(indexed));
}

Result<VersionPtr> VersionView::version(BucketId bucket, const std::string& key, VersionSeq seq) const {
  const KeyChanges changes = this->changes(bucket, key);
  if (const auto changed = changes.find(seq); changed != changes.end()) return changed->second;
  HF_TRY(auto indexed, index_.version(bucket, key, seq, patience_));
  return shared(std::move(indexed));
}

}  // namespace holdfast
