#include "daemon/events.h"

namespace holdfast {

const char* name_of(EventKind kind) {
  switch (kind) {
    case EventKind::kBackupCompleted: return "backup-completed";
    case EventKind::kBackupPartiallyFailed: return "backup-partially-failed";
    case EventKind::kBackupFailed: return "backup-failed";
    case EventKind::kRunMissed: return "run-missed";
    case EventKind::kRpoViolated: return "rpo-violated";
    case EventKind::kCopyFailed: return "copy-failed";
    case EventKind::kSiteProblem: return "site-problem";
    case EventKind::kVerificationFailed: return "verification-failed";
  }
  return "";
}

}  // namespace holdfast
