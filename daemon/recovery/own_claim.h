// What this appliance claims to be, in its settings: which generation, and whether it may act.
#pragma once

#include <mutex>

#include "daemon/recovery.h"
#include "daemon/recovery/claim.h"
#include "storage/bucket_store.h"

namespace holdfast {

// A new appliance is the first generation and acts; see start_on_standby() for a recovered one. Thread-safe.
class OwnClaim {
 public:
  struct Standing {
    Claim claim;
    ApplianceState state = ApplianceState::kActive;
    std::string reason;
  };

  explicit OwnClaim(SettingsStore& settings) : settings_(settings) {}
  // Once, before anything else. kCorrupt: what is kept cannot be read.
  Result<void> load(const std::string& appliance, const std::string& host, Random& random);
  Standing now() const;
  // It acts as this claim says.
  Result<void> activate(const Claim& claim);
  // Another one acts. In force at once, whatever can be written.
  void give_way(const Claim& to, const std::string& where);

 private:
  Result<void> store(const Standing& standing);
  SettingsStore& settings_;
  mutable std::mutex mutex_;
  Standing now_;
};

// For the first start of an appliance that was recovered as this generation.
Result<void> start_on_standby(SettingsStore& settings, uint64_t generation, const std::string& where_from);

}  // namespace holdfast
