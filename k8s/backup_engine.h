// Backs a cluster up over its API into Velero's bucket layout (pkg/persistence/object_store_layout.go), without anything
// of ours in the cluster. Used by the velero.io controllers and by backups that no object asked for.
#pragma once

#include <atomic>
#include <map>
#include <stop_token>

#include "k8s/cluster_access.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/object_store.h"

namespace holdfast::k8s {

// Where a cluster's restore points lie.
struct BackupPlace {
  ObjectStore* store = nullptr;
  std::string bucket;
  std::string prefix;  // "clusters/NAME/", or empty
  std::shared_ptr<ObjectStore> elsewhere = nullptr;  // `store`, where it is not this appliance's own: it lives as long as it is used
};

// One backup to make. Texts are JSON objects.
struct BackupOrder {
  std::string name;
  std::string name_space = "velero";
  std::string uid;           // empty: made up
  std::string spec = "{}";   // Backup.spec
  std::map<std::string, std::string> labels, annotations;
};

struct BackupProgress {
  std::atomic<uint64_t> items{0};
  std::atomic<bool> finalizing{false};  // the archive is written; what belongs to it follows
};

struct BackupOutcome {
  std::string phase;     // Completed, PartiallyFailed, Failed, FailedValidation
  uint64_t items = 0, warnings = 0, errors = 0;
  std::vector<std::string> validation_errors;
  std::string failure_reason;
  std::string document;  // the Backup object with spec and status, as it is in the bucket
};

struct EngineServices {
  Clock* clock = nullptr;
  Random* random = nullptr;
};

// Blocks until the backup is there or has failed; then nothing of it is visible. A backup becomes visible with its
// velero-backup.json, which is written last. An object or a kind of objects that cannot be read makes it
// PartiallyFailed, never lost. Memory: about 40 MiB and 150 bytes an object.
BackupOutcome back_up(const ClusterAccess& access, const BackupPlace& place, const BackupOrder& order, EngineServices services,
                      BackupProgress& progress, std::stop_token stop);

// A Backup.spec as JSON that nobody has asked for yet. kInvalidArgument: every one of the things that are wrong with it; also
// a field that Backup.spec does not have.
Result<void> check_backup_spec(const std::string& spec);

// A restore point as the bucket has it.
struct RestorePoint {
  std::string name, phase, started, completed, expires;
  uint64_t items = 0, warnings = 0, errors = 0;
  bool kept_by_ttl = false;  // it bears kKeptByTtl: what made it sees to its expiry
  std::string policy, tier;  // that asked for it; empty: none did
  bool verified = false, doubted = false;  // as in PointEvidence
  int64_t locked_until_ms = 0;  // nobody can remove it before; 0: it is not locked
  std::map<std::string, std::string> labels = {};  // of its Backup object
  // False: Velero made it and has not finished it; it shows a backup when the archive is there, as "Finalizing".
  bool has_ended() const { return !is_being_finished(phase); }
  static bool is_being_finished(std::string_view phase) { return phase.starts_with("Finalizing") || phase.starts_with("WaitingForPluginOperations"); }
};

// Annotation of restore points that Holdfast made and removes when their TTL is over.
inline constexpr const char* kKeptBy = "holdfast.io/kept-by";
inline constexpr const char* kKeptByTtl = "ttl";
// Annotations of what a policy asked for, in its tier; its retention sees to its end.
inline constexpr const char* kPolicyAnnotation = "holdfast.io/policy";
inline constexpr const char* kTierAnnotation = "holdfast.io/tier";
// The run that asked: another number each time. What bears the same one is the same backup.
inline constexpr const char* kRunAnnotation = "holdfast.io/run";

// Annotation of what a server of this appliance makes or works on: its id.
inline constexpr const char* kServerAnnotation = "holdfast.io/server";

// One of them; nullopt where there is none.
Result<std::optional<RestorePoint>> find_restore_point(const BackupPlace& place, const std::string& name);
// By name. Directories without a readable velero-backup.json are not restore points.
Result<std::vector<RestorePoint>> list_restore_points(const BackupPlace& place);
// Its velero-backup.json. kNotFound.
Result<std::string> restore_point_document(const BackupPlace& place, const std::string& name);
// The text of its log, the first 64 MiB. kNotFound; kCorrupt when it cannot be unpacked.
Result<std::string> restore_point_log(const BackupPlace& place, const std::string& name);
// velero-backup.json first, so that what is left is no restore point whenever it stops; then the rest. kPermissionDenied (kLock): it is
// locked, and nothing was changed.
Result<void> delete_restore_point(const BackupPlace& place, const std::string& name);
// Nobody can remove or change it before that time, in compliance mode; a longer lock stays. velero-backup.json comes last, so that its lock says
// that all is locked. What is found out about it later can still be written beside it. The data of volumes is not in it.
Result<void> lock_restore_point(const BackupPlace& place, const std::string& name, int64_t until_ms);
// What a run that failed has left in the directory of a name that is no restore point.
Result<void> delete_leftovers(const BackupPlace& place, const std::string& name);
// Object keys of a restore point.
std::string restore_point_key(const BackupPlace& place, const std::string& name, const std::string& file);
// A name that may stand in a key and for a Kubernetes object. kInvalidArgument says what is wrong.
Result<void> check_backup_name(const std::string& name);

}  // namespace holdfast::k8s
