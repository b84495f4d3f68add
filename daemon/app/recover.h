// An appliance on a blank host, from what a site holds of it.
#pragma once

#include "daemon/app/offline.h"
#include "daemon/recovery/sealed_bundle.h"

namespace holdfast {

struct RecoverRequest {
  RemotePlace site;
  std::string recovery_key;  // as it was printed
  std::string appliance;     // empty: the one that the key opens
};

struct FoundBundle {
  OpenedBundle opened;
  std::vector<std::string> damaged;  // newer ones, which cannot be read
};
// The newest bundle that can be read. Changes nothing. kPermissionDenied: the key opens none; kNotFound: there is none;
// kInvalidArgument: it opens those of several appliances, which are named.
Result<FoundBundle> find_bundle(const RecoverRequest& request);

// As init_appliance(), with that appliance's settings, users and empty buckets, its identity and its recovery key. It is on standby.
Result<InitResult> recover_appliance(const InitRequest& init, const RecoverRequest& request, const FoundBundle& bundle);

}  // namespace holdfast
