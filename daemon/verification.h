// Verification of restore points: are they whole, do they restore?
#pragma once

#include <string>
#include <vector>

#include "k8s/cron.h"
#include "k8s/point_evidence.h"
#include "k8s/restore_trial.h"

namespace holdfast {

// How a restore point is to be verified. Only level restore makes it "verified".
struct VerificationRule {
  enum class Level { kRead, kRestore };
  Level level = Level::kRestore;
  bool copies = true;       // level read: those at sites that its policy names are read, too
  // Level restore; see k8s/restore_trial.h.
  std::string into;         // the cluster where it is tried; empty: its own
  std::vector<std::string> namespaces, excluded_resources;
  bool custom_resources = false, isolated = true;
  int64_t ready_within_ms = 600'000;
  std::vector<k8s::TrialCheck> checks;
};

const char* name_of(VerificationRule::Level level);  // "read", "restore"

// What a tier of a policy wants verified: its newest good restore point, at these times.
struct VerificationOrder {
  std::string cluster, policy, tier;
  std::string schedule;   // with its time zone before it
  k8s::Cron times;
  int64_t within_ms = 0;  // the last success is to be no older; 0: no target
  VerificationRule rule;
};

// One that waits, runs or has ended since the daemon's start.
struct VerificationRun {
  uint64_t id = 0;
  std::string cluster, backup, level;
  std::string policy, tier;           // whose schedule asked for it; empty: somebody did
  // "waiting", "running"; "whole" (level read), "verified" (level restore), "failed": it is not; "undecided": that could not be found out.
  std::string state = "waiting";
  std::string step;                   // of one that runs: what it is at
  std::string reason;                 // why it is undecided, or something is left behind
  uint64_t problems = 0;
  std::vector<std::string> problem;   // the first 100
  uint64_t items = 0, compared = 0, dry_run = 0, awaited = 0, checked = 0;
  int64_t started_ms = 0, finished_ms = 0;
  int64_t ready_ms = 0;               // level restore: how long it took until everything was ready

  bool open() const { return state == "waiting" || state == "running"; }
  bool good() const { return state == "whole" || state == "verified"; }
};

// What an order has come to; a durable fact.
struct VerificationStatus {
  std::string cluster, policy, tier, level, schedule;
  int64_t next_ms = 0;
  int64_t last_ms = 0;                // when the last one ended; 0: none did
  std::string last_state, last_backup, last_reason;
  int64_t good_ms = 0;                // when the last success was; 0: there was none
  int64_t ready_ms = 0;               // level restore: the time to recovery that it measured
  int64_t within_ms = 0;
  bool overdue = false;               // the last success is older than that
};

// Thread-safe; calls may block.
class VerificationService {
 public:
  virtual ~VerificationService() = default;
  // Returns its id when it stands in line; one at a time runs. `document`: fields of a policy's `verification` as JSON, which
  // go before what the restore point's policy says. kAlreadyExists: it is in line.
  virtual Result<uint64_t> start_verification(const std::string& cluster, const std::string& backup, const std::string& document) = 0;
  virtual std::vector<VerificationRun> verifications() const = 0;
  virtual Result<VerificationRun> verification(uint64_t id) const = 0;
  virtual std::vector<VerificationStatus> verification_orders() const = 0;
  virtual Result<k8s::PointEvidence> evidence(const std::string& cluster, const std::string& backup) const = 0;
};

}  // namespace holdfast
