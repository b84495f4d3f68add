// The recovery of a dead site: settings travel to other sites as sealed bundles, and of two appliances with one identity only one acts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

enum class ApplianceState {
  kActive,
  kStandby,     // it was recovered from a site and not activated yet
  kSuperseded,  // the same appliance, recovered elsewhere, was activated
};
const char* name_of(ApplianceState state);

struct SiteRecovery {
  std::string site;
  std::string problem;       // why the last bundle or claim could not be seen to there; empty: nothing
  int64_t bundle_sent_ms = 0;  // since this daemon's start; 0: not yet
  uint64_t bundle_number = 0;
};

struct RecoveryStatus {
  std::string appliance;
  ApplianceState state = ApplianceState::kActive;
  std::string reason;         // of an appliance that does not act
  uint64_t generation = 0;    // goes up with each activation
  bool can_be_sealed = true;  // false: the first pool is not encrypted, so nothing travels
  std::vector<SiteRecovery> sites;
};

// What a bundle at a site holds.
struct BundleReport {
  std::string appliance, host;
  uint64_t generation = 0, number = 0, bytes = 0;
  int64_t written_ms = 0;
  std::vector<std::string> clusters, policies, sites, buckets;
  std::vector<std::string> users;   // access keys
  std::vector<std::string> lacks;   // settings of this appliance that it does not have as they are now; empty: it names everything
};

// Thread-safe; calls may block for as long as a site does not answer.
class RecoveryService {
 public:
  virtual ~RecoveryService() = default;
  virtual RecoveryStatus status() const = 0;
  // Opens the newest bundle at a site with the recovery key and compares it with what this appliance has.
  // kPermissionDenied: the key does not open it. Changes nothing.
  virtual Result<BundleReport> check_bundle(const std::string& site, const std::string& recovery_key) = 0;
  // From now on this appliance acts, and every other one of its identity does not. `unfenced`: sites where that cannot be made sure of, by name,
  // which whoever asks has accepted. kFailedPrecondition names those that are not among them, and why.
  virtual Result<void> activate(const std::vector<std::string>& unfenced) = 0;
  // What keeps the settings from travelling, or this appliance from acting, a line each.
  virtual std::vector<std::string> alarms() const = 0;
};

}  // namespace holdfast
