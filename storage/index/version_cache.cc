#include "storage/index/version_cache.h"

namespace holdfast {

namespace {

constexpr size_t kMaxParts = 8;  // more, and the version is of a large object, whose look-up is the least of its costs

uint64_t memory_of(const StoredVersion& version) {
  const ObjectInfo& i = version.info;
  const Attributes& a = i.attributes;
  uint64_t bytes = 512 + sizeof(StoredVersion) + i.key.size() + i.etag.size();
  const auto add = [&](const auto& pairs) {
    for (const auto& [name, value] : pairs) bytes += 64 + name.size() + value.size();
  };
  add(a.headers);
  add(a.tags);
  for (const StoredPart& part : version.parts) bytes += 256 + sizeof part + part.body.extents.size() * sizeof(ExtentRef);
  return bytes;
}

}  // namespace

size_t VersionCache::Hash::operator()(const Key& k) const {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  return ((std::hash<std::string_view>()(k.key) ^ (k.bucket * kOdd)) * kOdd) >> 32;
}

void VersionCache::put(VersionPtr version, uint64_t changes) {
  if (version->parts.size() > kMaxParts) return;
  const Key key{version->info.bucket, version->info.key};
  const uint64_t bytes = memory_of(*version);
  versions_.put_unless_erased(key, std::move(version), bytes, changes);
}

void VersionCache::forget(const Fact& fact) {
  if (const auto* put = std::get_if<VersionPut>(&fact)) {
    forget(put->version.info.bucket, put->version.info.key);
  } else if (const auto* gone = std::get_if<VersionRemove>(&fact)) {
    forget(gone->bucket, gone->key);
  } else if (const auto* change = std::get_if<VersionAttributes>(&fact)) {
    forget(change->bucket, change->key);
  }
}

}  // namespace holdfast
