#include "daemon/scheduler/cluster_backup_maker.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "k8s/backup_engine.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

// The farthest that a policy can keep a restore point: it never removes the latest good one, however old. Velero's own expiry
// goes by this date, should it serve the cluster one day.
constexpr const char* kTtl = "876000h0m0s";  // a hundred years

bool goes_on(const std::string& phase) {
  return phase == "Queued" || phase == "InProgress" || k8s::RestorePoint::is_being_finished(phase);
}

}  // namespace

Result<std::string> ClusterBackupMaker::role_of(const std::string& cluster) const {
  const std::vector<ClusterStatus> all = clusters_.clusters();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ClusterStatus& c) { return c.name == cluster; });
  if (found == all.end()) return error(Code::kFailedPrecondition, "cluster \"" + cluster + "\" is not registered");
  if (found->role == "starting") return error(Code::kUnavailable, "it is not known yet who serves the velero.io objects of cluster \"" + cluster + "\": " + found->role_reason);
  return found->role;
}

Result<void> ClusterBackupMaker::begin(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) {
  HF_TRY(const std::string role, role_of(policy.cluster));
  NewBackup backup;
  backup.name = run.backup;
  boost::json::object spec = tier.backup;
  spec["ttl"] = kTtl;
  backup.spec = boost::json::serialize(spec);
  backup.by_velero = role == "observing";
  backup.kept_by_ttl = false;
  backup.labels["velero.io/schedule-name"] = backup_stem(policy.name, tier.name);
  backup.annotations[k8s::kPolicyAnnotation] = policy.name;
  backup.annotations[k8s::kTierAnnotation] = tier.name;
  backup.annotations[k8s::kRunAnnotation] = run.backup + "/" + std::to_string(run.id) + "/" + std::to_string(run.attempt);
  return clusters_.start_backup(policy.cluster, backup);
}

Result<BackupLook> ClusterBackupMaker::look(const Policy& policy, const PolicyTier& tier, const PolicyRun& run) {
  const auto found = clusters_.backup(policy.cluster, run.backup);
  if (!found && found.error().code() == Code::kNotFound) {
    HF_TRY(const std::string role, role_of(policy.cluster));
    if (role != "observing") return error(Code::kNotFound, "there is no backup \"" + run.backup + "\"");
    // Velero may well be making it: what was begun before this daemon's start is found and followed on.
    const auto again = begin(policy, tier, run);
    if (!again && again.error().code() != Code::kAlreadyExists) return std::unexpected(again.error());
    return BackupLook();
  }
  if (!found) return std::unexpected(found.error());
  BackupLook look{!goes_on(found->phase), found->phase, found->failure_reason, found->items, found->warnings, found->errors};
  for (const std::string& problem : found->validation_errors) look.reason += (look.reason.empty() ? "" : "; ") + problem;
  if (look.phase == "PartiallyFailed" && look.reason.empty()) look.reason = std::to_string(look.errors) + " errors: see its log";
  return look;
}

Result<std::vector<OwnedPoint>> ClusterBackupMaker::points(const std::string& cluster) {
  HF_TRY(const auto all, clusters_.backups(cluster));
  std::vector<OwnedPoint> points;
  for (const RunStatus& s : all) {
    const auto started_ms = parse_iso8601(s.started);
    if (s.policy.empty() || !started_ms) continue;
    points.push_back({s.policy, s.tier, {s.name, *started_ms, !goes_on(s.phase), s.phase == "Completed" && !s.doubted, s.verified, s.locked_until_ms}});
  }
  return points;
}

}  // namespace holdfast
