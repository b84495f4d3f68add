#include "daemon/app/recover.h"

#include <algorithm>

#include "daemon/admin/admin_json.h"
#include "daemon/recovery/own_claim.h"
#include "storage/crypto/key_file.h"
#include "storage/object/store.h"

#include <boost/json/object.hpp>

namespace holdfast {

namespace {

// Of one appliance, newest first.
Result<FoundBundle> newest_readable(RemoteStore& site, const std::vector<BundleName>& oldest_first, const SecretKey& key) {
  FoundBundle found;
  for (auto name = oldest_first.rbegin(); name != oldest_first.rend(); ++name) {
    auto fetched = fetch_bundle(site, *name, key);
    if (!fetched && fetched.error().code() == Code::kCorrupt) {
      found.damaged.push_back(name->key() + ": " + fetched.error().message());
      continue;
    }
    if (!fetched) return std::unexpected(fetched.error());
    found.opened = std::move(*fetched);
    return found;
  }
  return error(Code::kCorrupt, "no bundle of appliance " + oldest_first.front().appliance + " can be read: " + found.damaged.front());
}

// Whose credentials are written down: an admin of before, so that nothing changes for anybody.
Result<User> fill(Store& store, const RecoverRequest& request, const FoundBundle& bundle, Random& random) {
  HF_CHECK(take_over(bundle.opened.content, store, store, store));
  HF_CHECK(start_on_standby(store, std::max<uint64_t>(bundle.opened.header.generation, 1), request.site.url + "/" + request.site.bucket));
  for (const User& u : bundle.opened.content.users) {
    if (u.role == Role::kAdmin && u.enabled && u.scopes.empty()) return u;
  }
  HF_TRY(User user, user_from_json({{"role", "admin"}, {"name", "admin"}}, random));
  HF_CHECK(store.put_user(user));
  return user;
}

}  // namespace

Result<FoundBundle> find_bundle(const RecoverRequest& request) {
  HF_TRY(const SecretKey key, parse_recovery_key(request.recovery_key));
  SystemClock clock;
  HF_TRY(const auto site, open_remote_store(request.site, clock, std::chrono::seconds(15)));
  HF_TRY(const auto names, list_bundles(*site, request.appliance));
  std::map<std::string, std::vector<BundleName>> by_appliance;
  for (const BundleName& n : names) by_appliance[n.appliance].push_back(n);
  if (by_appliance.empty()) {
    return error(Code::kNotFound, site->place().url + "/" + request.site.bucket + " holds no bundle of " + (request.appliance.empty() ? "any appliance" : "appliance " + request.appliance));
  }
  std::optional<FoundBundle> found;
  std::optional<Status> refused;
  for (const auto& [appliance, of_it] : by_appliance) {
    auto bundle = newest_readable(*site, of_it, key);
    if (!bundle) {
      if (!refused || refused->code() == Code::kPermissionDenied) refused = bundle.error();
    } else if (found) {
      return error(Code::kInvalidArgument, "the recovery key opens the bundles of several appliances: " + found->opened.header.appliance + " and " + appliance + "; name one with --appliance");
    } else {
      found = std::move(*bundle);
    }
  }
  if (!found) return std::unexpected(*refused);
  return std::move(*found);
}

Result<InitResult> recover_appliance(const InitRequest& init, const RecoverRequest& request, const FoundBundle& bundle) {
  SystemRandom random;
  PoolSeed seed;
  HF_TRY(seed.recovery_key, parse_recovery_key(request.recovery_key));
  seed.fill = [&](Store& store) { return fill(store, request, bundle, random); };
  return init_appliance(init, seed);
}

}  // namespace holdfast
