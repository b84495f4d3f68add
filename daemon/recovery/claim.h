// Who of the appliances with one identity may write to a site: the one with the highest generation there, in one object a site and identity.
#pragma once

#include "storage/base/random.h"
#include "storage/remote_store.h"

namespace holdfast {

struct Claim {
  std::string appliance;
  uint64_t generation = 0;
  std::string holder;  // random: of two that claim one generation only one is the holder
  std::string host;    // for people
  int64_t claimed_ms = 0;
  bool same_holder(const Claim& other) const { return generation == other.generation && holder == other.holder; }
};

std::string claim_key(const std::string& appliance);  // holdfast/claims/APPLIANCE
std::string claim_body(const Claim& claim);
// kCorrupt: it is none.
Result<Claim> parse_claim(const std::string& body, const std::string& appliance);
std::string new_holder(Random& random);

struct StandingClaim {
  Claim claim;
  std::string etag;
};
// Nothing: nobody has claimed it. kCorrupt: what is there is no claim.
Result<std::optional<StandingClaim>> read_claim(RemoteStore& site, const std::string& appliance);

// Writes `ours` where none or an older one stands, and gives the one that stands then: ours, or a newer one. By conditional write; where a site
// takes none, by writing and reading again.
Result<Claim> put_claim(RemoteStore& site, const Claim& ours);

}  // namespace holdfast
