#include "daemon/clusters/velero_bridge.h"

#include <algorithm>
#include <array>

#include "storage/base/scopes.h"
#include "storage/net/presign.h"
#include "storage/remote_objects.h"

namespace holdfast {

namespace {

// "/a/b" and "a/b/" are one place: "a/b/".
std::string normal_prefix(std::string prefix) {
  while (prefix.starts_with('/')) prefix.erase(0, 1);
  while (prefix.ends_with('/')) prefix.pop_back();
  return prefix.empty() ? prefix : prefix + "/";
}

constexpr std::array kOursAtSites{"clusters/", "holdfast/", "laid-out/"};
constexpr size_t kMostElsewhere = 50;
constexpr std::chrono::seconds kPatience{15};  // others wait behind a location that is not reached

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Result<k8s::GrantedLocation> VeleroBridge::grant(const k8s::LocationClaim& claim) const {
  const auto refused = [](const std::string& why) { return error(Code::kInvalidArgument, why); };
  if (claim.provider != "aws" && claim.provider != "velero.io/aws") return refused("provider \"" + claim.provider + "\" is not served: only aws, for this appliance's S3 endpoint");
  if (without_slash(claim.url) != p_.face.url) return grant_elsewhere(claim);
  if (!p_.buckets->bucket(claim.bucket)) return refused("there is no bucket \"" + claim.bucket + "\"");
  k8s::GrantedLocation granted{{p_.objects, claim.bucket, normal_prefix(claim.prefix)}, false};
  const bool own = claim.bucket == cluster_.status.bucket && granted.place.prefix == cluster_.status.prefix;
  if (!claim.has_credential) {
    if (own) return granted;
    return error(Code::kPermissionDenied, "it names no credential, and without one only " + cluster_.status.bucket + "/" + cluster_.status.prefix + " is open to this cluster");
  }
  const auto user = p_.users->user(claim.access_key);
  if (!user || !user->enabled || !equal_constant_time(user->secret, claim.secret)) return error(Code::kPermissionDenied, "its access key is not known, or its secret is wrong");
  if (user->role == Role::kAppendOnly) return error(Code::kPermissionDenied, "its access key may only append");
  if (!scopes_cover(user->scopes, claim.bucket, granted.place.prefix)) {
    return error(Code::kPermissionDenied, "its access key does not reach " + claim.bucket + "/" + granted.place.prefix);
  }
  granted.read_only = user->role == Role::kReadOnly;
  return granted;
}

Result<k8s::GrantedLocation> VeleroBridge::grant_elsewhere(const k8s::LocationClaim& claim) const {
  const auto refused = [](const std::string& why) { return error(Code::kInvalidArgument, why); };
  // Else whoever may write such objects could have this appliance call anything.
  const auto site = p_.site_at ? p_.site_at(without_slash(claim.url), claim.bucket) : std::nullopt;
  if (!site) return refused("s3Url \"" + claim.url + "\" is neither this appliance, " + p_.face.url + ", nor the endpoint of one of its sites; `holdfast site add` registers one");
  if (!claim.has_credential) return error(Code::kPermissionDenied, "it is at a site, and names no credential of its own");
  const std::string prefix = normal_prefix(claim.prefix);
  const bool ours = prefix.empty() || std::any_of(kOursAtSites.begin(), kOursAtSites.end(), [&](const char* root) { return prefix.starts_with(root); });
  if (ours && claim.bucket == site->bucket && !claim.read_only) return refused("copies lie under " + claim.bucket + "/" + prefix + ": its accessMode has to be ReadOnly");
  RemotePlace place = *site;
  place.bucket = claim.bucket;
  place.access_key = claim.access_key;
  place.secret = claim.secret;
  const std::string name = place.url + " " + place.bucket + " " + place.access_key;
  std::lock_guard lock(mutex_);
  if (stopped_) return error(Code::kUnavailable, "this appliance is stopping");
  Elsewhere& known = elsewhere_[name];
  const auto is_as_before = [&](const RemotePlace& before) { return before.secret == place.secret && before.ca_pem == place.ca_pem && before.region == place.region; };
  if (!known.store || !is_as_before(known.store->place())) {
    auto store = open_remote_store(place, *p_.engine.clock, kPatience);
    if (!store) {
      elsewhere_.erase(name);
      return std::unexpected(store.error());
    }
    known.store = std::move(*store);
    known.objects = remote_objects(known.store);
  }
  k8s::GrantedLocation granted{{known.objects.get(), claim.bucket, prefix, known.objects}, false};
  if (elsewhere_.size() > kMostElsewhere) std::erase_if(elsewhere_, [&](const auto& e) { return e.first != name && e.second.objects.use_count() == 1; });
  return granted;
}

void VeleroBridge::stop_elsewhere() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& [name, e] : elsewhere_) e.store->stop();
}

Result<std::string> VeleroBridge::download_url(const k8s::BackupPlace& place, const std::string& key, std::chrono::seconds lifetime) const {
  if (place.elsewhere) {
    std::lock_guard lock(mutex_);
    for (const auto& [name, e] : elsewhere_) {
      const RemotePlace& there = e.store->place();
      if (e.objects == place.elsewhere) return presigned_url({there.url, there.bucket, key, there.access_key, there.secret, there.region, p_.engine.clock->wall_ms(), lifetime});
    }
    return error(Code::kUnavailable, "the location has just changed");
  }
  // The cluster's own key where it reaches, else any that reads no more than this place.
  auto user = p_.users->user(cluster_.status.access_key);
  if (!user || !user->enabled || !scopes_cover(user->scopes, place.bucket, key)) {
    user.reset();
    for (User& other : p_.users->users()) {
      if (other.enabled && !other.scopes.empty() && scopes_cover(other.scopes, place.bucket, key)) user = std::move(other);
    }
  }
  if (!user) return error(Code::kPermissionDenied, "no enabled access key reaches " + place.bucket + "/" + place.prefix);
  PresignRequest request{p_.face.url, place.bucket, key, user->access_key, user->secret, p_.face.region, p_.engine.clock->wall_ms(), lifetime};
  return presigned_url(request);
}

k8s::OwnLocation VeleroBridge::own_location() const {
  k8s::OwnLocation own{{p_.objects, cluster_.status.bucket, cluster_.status.prefix}, p_.face.url, p_.face.region, p_.face.ca_pem, cluster_.status.access_key, {}};
  if (const auto user = p_.users->user(own.access_key)) own.secret = user->secret;
  return own;
}

}  // namespace holdfast
