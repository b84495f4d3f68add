#include "daemon/clusters/velero_bridge.h"

#include "storage/base/scopes.h"
#include "storage/net/presign.h"

namespace holdfast {

namespace {

// "/a/b" and "a/b/" are one place: "a/b/".
std::string normal_prefix(std::string prefix) {
  while (prefix.starts_with('/')) prefix.erase(0, 1);
  while (prefix.ends_with('/')) prefix.pop_back();
  return prefix.empty() ? prefix : prefix + "/";
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Result<k8s::GrantedLocation> VeleroBridge::grant(const k8s::LocationClaim& claim) const {
  const auto refused = [](const std::string& why) { return error(Code::kInvalidArgument, why); };
  if (claim.provider != "aws" && claim.provider != "velero.io/aws") return refused("provider \"" + claim.provider + "\" is not served: only aws, for this appliance's S3 endpoint");
  if (without_slash(claim.url) != p_.face.url) {
    return refused("s3Url \"" + claim.url + "\" is not this appliance, " + p_.face.url + "; other places are not served");
  }
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

Result<std::string> VeleroBridge::download_url(const k8s::BackupPlace& place, const std::string& key, std::chrono::seconds lifetime) const {
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
