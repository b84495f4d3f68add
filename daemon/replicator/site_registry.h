// The sites that are known, in the settings; their secrets are sealed there like everything else of an encrypted pool.
#pragma once

#include "daemon/sites.h"
#include "storage/bucket_store.h"
#include "storage/remote_store.h"

namespace holdfast {

struct RegisteredSite {
  SiteStatus status;
  RemotePlace place;
};

// Thread-safe.
class SiteRegistry {
 public:
  explicit SiteRegistry(SettingsStore& settings) : settings_(settings) {}
  // By name. One that cannot be read is left out.
  std::vector<RegisteredSite> all() const;
  // kNotFound.
  Result<RegisteredSite> find(const std::string& name) const;
  // One with that endpoint, of several the one with that bucket.
  std::optional<RemotePlace> at(const std::string& url, const std::string& bucket) const;
  Result<void> put(const RegisteredSite& site);
  Result<void> remove(const std::string& name);

 private:
  SettingsStore& settings_;
};

}  // namespace holdfast
