// Backup policies and what came of them, as the admin API and the command line see them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

// One time that a tier of a policy was due, or that somebody asked for it. A durable fact.
struct PolicyRun {
  enum class State { kWaiting, kRunning, kCompleted, kPartiallyFailed, kFailed, kSkipped };

  uint64_t id = 0;               // counts within its tier
  std::string trigger;           // "schedule", "catch-up", "manual"
  State state = State::kWaiting;
  std::string reason;            // why it failed, was skipped, or still waits
  int64_t due_ms = 0;            // Unix times; 0: not yet
  int64_t accepted_ms = 0;       // when it was due or, had that been missed, when that was made up for: its deadline counts from here
  int64_t not_before_ms = 0;     // while it waits: a delay, a retry
  int64_t started_ms = 0, finished_ms = 0;
  unsigned attempt = 0;          // 1: the first
  uint64_t missed = 0;           // how many earlier times it stands for
  std::string backup;            // the restore point of its last attempt
  uint64_t items = 0, warnings = 0, errors = 0;

  bool open() const { return state == State::kWaiting || state == State::kRunning; }
};

const char* name_of(PolicyRun::State state);  // "waiting", "running", "completed", "partially-failed", "failed", "skipped"

struct TierTotals {
  uint64_t completed = 0, partially_failed = 0, failed = 0, skipped = 0;
  int64_t last_completed_ms = 0;  // when the last one ended; 0: none did
  int64_t last_point_ms = 0;      // when it had begun: what a restore of it brings back
};

struct TierStatus {
  std::string name, schedule, time_zone;
  int64_t next_ms = 0;  // 0: never, or paused
  TierTotals totals;
  int64_t rpo_ms = 0;         // how old the newest good restore point is; before the first one: how long there has been none
  int64_t rpo_target_ms = 0;  // 0: none
  std::vector<PolicyRun> runs;  // the latest, oldest first

  bool violates_rpo() const { return rpo_target_ms > 0 && rpo_ms > rpo_target_ms; }

  // The latest that made a restore point or failed to; nullptr: none is known.
  const PolicyRun* last_ended() const;
};

struct PolicyStatus {
  std::string name, cluster;
  bool paused = false;
  std::string document;  // as JSON
  std::vector<TierStatus> tiers;
};

// Why a restore point of a policy stays or goes.
struct RetentionVerdict {
  std::string tier, backup;
  int64_t started_ms = 0;
  bool keep = true;
  std::string why;
};

// What becomes of a policy's restore points, if every run completes at its time.
struct RetentionForecast {
  struct Fate {
    std::string tier, backup;
    int64_t started_ms = 0;
    bool keep = true;      // now
    std::string why;       // now
    int64_t until_ms = 0;  // when no rule keeps it any more; 0: not before the forecast's end
  };
  struct Month {
    std::string tier, month;  // "2026-11"
    uint64_t kept = 0;        // at its end, or the forecast's
    int64_t oldest_ms = 0;
  };
  std::vector<Fate> points;   // those that there are
  std::vector<Month> months;
  int64_t ends_ms = 0;
};

// Thread-safe; calls may block.
class PolicyService {
 public:
  virtual ~PolicyService() = default;
  // A document in YAML or JSON; a policy of that name is replaced, and its tiers of the same names go on. Gives the name.
  // kInvalidArgument: "line 7: tiers[0].schedule: ...", and nothing is changed.
  virtual Result<std::string> apply_policy(const std::string& text) = 0;
  virtual std::vector<PolicyStatus> policies() const = 0;
  virtual Result<PolicyStatus> policy(const std::string& name) const = 0;
  // What waits is skipped; what runs goes on. Times that pass meanwhile are not made up for.
  virtual Result<void> pause_policy(const std::string& name, bool paused) = 0;
  // Now, also while it is paused. `tier` empty: its only one. Gives the id of the run. kFailedPrecondition: one is running.
  virtual Result<uint64_t> run_policy(const std::string& name, const std::string& tier) = 0;
  // Its restore points stay.
  virtual Result<void> remove_policy(const std::string& name) = 0;
  // Of every restore point that it made.
  virtual Result<std::vector<RetentionVerdict>> judge_points(const std::string& name) const = 0;
  // For so long from now. `document` (else empty) instead of the policy of that name as it is in force: nothing is changed.
  virtual Result<RetentionForecast> forecast(const std::string& name, const std::string& document, int64_t length_ms) const = 0;
};

}  // namespace holdfast
