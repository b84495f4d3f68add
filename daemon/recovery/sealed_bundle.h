// Bundles as they lie at a site, under holdfast/bundles/: readable with the recovery key alone.
//
// An object is a line of JSON, in the clear: who wrote it and when, its format, the pool key wrapped by the recovery key; and behind that
// the content, sealed by a key made of the pool key. The line is authenticated with it.
#pragma once

#include "daemon/recovery/bundle.h"
#include "storage/crypto/aead.h"
#include "storage/remote_store.h"

namespace holdfast {

inline constexpr uint64_t kMaxBundleBytes = 128 << 20;

// What an appliance seals with.
struct BundleKeys {
  SecretKey pool_key;
  std::string key_by_recovery;  // the pool key, wrapped for
  std::string pool_id;          // this context
};

// In the order of their age.
struct BundleName {
  std::string appliance;
  uint64_t generation = 0, number = 0;
  std::string digest;  // of the content, under the appliance's key
  std::string key() const;  // holdfast/bundles/APPLIANCE/GENERATION,NUMBER,DIGEST
};
// Nothing where it is no bundle's key.
std::optional<BundleName> bundle_of_key(const std::string& key);
// `appliance` empty: those of every appliance.
std::string bundles_prefix(const std::string& appliance);
// Of every appliance (empty) or one, oldest first.
Result<std::vector<BundleName>> list_bundles(RemoteStore& site, const std::string& appliance);

std::string digest_of(const BundleKeys& keys, const std::string& content);

struct BundleHeader {
  std::string appliance, host;
  uint64_t generation = 0, number = 0;
  int64_t written_ms = 0;
};
std::string seal_bundle(const BundleKeys& keys, const BundleHeader& header, const std::string& content, Random& random);

struct OpenedBundle {
  BundleHeader header;
  BundleContent content;
  uint64_t size_bytes = 0;  // as it lies there
};
// What it holds, by name.
BundleReport report_of(const OpenedBundle& bundle);
// kPermissionDenied: it does not open with this key; kUnimplemented: a newer version wrote it; kCorrupt: it is damaged.
Result<OpenedBundle> open_bundle(const std::string& sealed, const SecretKey& recovery_key);
// The bundle of that name. kCorrupt also where an older one was put under the name.
Result<OpenedBundle> fetch_bundle(RemoteStore& site, const BundleName& name, const SecretKey& recovery_key);

}  // namespace holdfast
