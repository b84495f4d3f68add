// What happens that somebody may want to be told of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace holdfast {

enum class EventKind { kBackupCompleted, kBackupPartiallyFailed, kBackupFailed, kRunMissed, kRpoViolated, kCopyFailed, kSiteProblem, kVerificationFailed };
inline constexpr EventKind kAllEvents[] = {EventKind::kBackupCompleted, EventKind::kBackupPartiallyFailed, EventKind::kBackupFailed, EventKind::kRunMissed,
                                           EventKind::kRpoViolated, EventKind::kCopyFailed, EventKind::kSiteProblem, EventKind::kVerificationFailed};
// "backup-completed", "backup-partially-failed", "backup-failed", "run-missed", "rpo-violated", "copy-failed", "site-problem", "verification-failed"
const char* name_of(EventKind kind);

struct Event {
  EventKind kind = EventKind::kBackupCompleted;
  std::string cluster, policy, tier, backup, site;  // what it is about; empty: not about such a thing
  std::string text;                                 // for people
  int64_t time_ms = 0;
};

// Returns at once.
using EventSink = std::function<void(Event)>;

}  // namespace holdfast
