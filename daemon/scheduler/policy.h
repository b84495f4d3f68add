// A backup policy: of what cluster, in which tiers, each with its times, what it backs up and how long that is kept.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/retention.h"
#include "daemon/sites.h"
#include "daemon/verification.h"
#include "k8s/cron.h"
#include "storage/base/status.h"

namespace holdfast {

// Again after a failure: `first_wait_ms` later, then twice that, and so on, at most `longest_wait_ms`.
struct RetryRule {
  unsigned times = 0;
  int64_t first_wait_ms = 60'000, longest_wait_ms = 1'800'000;

  int64_t wait_ms(unsigned failures) const;
};

struct TierVerification {
  std::string schedule;    // as the tier's own
  k8s::Cron times;
  int64_t within_ms = 0;   // the last success is to be no older; 0: no target
  VerificationRule rule;
};

struct PolicyTier {
  enum class Missed { kOnce, kSkip };   // times that passed while nothing could run: one run makes up for them, or none
  enum class Overlap { kSkip, kQueue }; // a time that comes while the last run goes on

  std::string name;
  std::string schedule;                 // with its time zone before it, as k8s::Cron reads it
  std::string time_zone;                // empty: UTC
  k8s::Cron times;
  boost::json::object backup;           // Backup.spec, without ttl
  Missed missed = Missed::kOnce;
  Overlap overlap = Overlap::kSkip;
  int64_t start_within_ms = 300'000;    // later than this it counts as missed
  int64_t deadline_ms = 86'400'000;     // from when it was due or, when that was missed, from when it was made up for
  int64_t jitter_ms = 0;                // begins at random within so long
  int64_t rpo_ms = 0;                   // the newest good restore point is to be no older; 0: no target
  RetryRule retries;
  RetentionRule retention;
  int64_t lock_ms = 0;                  // its restore points are locked for so long after their start; 0: not at all
  std::vector<TierCopy> copies;
  std::optional<TierVerification> verification;
};

struct Policy {
  std::string name, cluster;
  bool paused = false;
  bool says_paused = false;  // the document does; else it stays as it is
  std::vector<PolicyTier> tiers;
  std::string document;  // as JSON, as it was given

  const PolicyTier* tier(const std::string& name) const;
};

// "POLICY-TIER": what its backups are called before their time, and their label velero.io/schedule-name.
std::string backup_stem(const std::string& policy, const std::string& tier);

// YAML or JSON. kInvalidArgument: "line 7: tiers[0].schedule: ...". The fields: docs/policies.md.
Result<Policy> parse_policy(const std::string& text);

}  // namespace holdfast
