// Restores a cluster from a restore point in Velero's bucket layout, ours or Velero's, over the Kubernetes API.
#pragma once

#include <atomic>
#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <stop_token>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

// One restore to make. Texts are JSON objects.
struct RestoreOrder {
  std::string name;
  std::string name_space = "velero";
  std::string uid;            // empty: made up
  std::string spec = "{}";    // Restore.spec
  BackupPlace source;         // where the restore point lies; the restore's own records go to the cluster's place
  std::string spool_directory;  // on local disk, for the unpacked archive, encrypted
  bool plan = false;            // finds out what it would do and writes nothing, neither cluster nor bucket
  // What preflight says would be missing afterwards stops it before anything is written.
  bool refuse_incomplete = true;
  std::chrono::milliseconds namespace_timeout{600'000};  // for one that is terminating
  // Changes an object after everything else has; empty: nothing more is changed.
  std::function<void(const std::string& group_resource, boost::json::object& object)> adjust = {};
};

struct RestoreProgress {
  std::atomic<uint64_t> items{0}, total{0};
  std::atomic<bool> finalizing{false};  // every object was seen to; the records follow
};

struct RestoreOutcome {
  std::string phase;  // Completed, PartiallyFailed, Failed, FailedValidation; of a plan: Completed, Failed, FailedValidation
  uint64_t items = 0, total = 0, warnings = 0, errors = 0;
  std::vector<std::string> validation_errors;
  std::string failure_reason;
  std::string document;  // the Restore object with spec and status
  // What the target lacks, a sentence each: "it does not serve widgets.acme.example", "shop/data: no storage class fast".
  std::vector<std::string> lacks;
  // Of a plan: {"counts":{"created":n,...},"items":[{"resource","namespace","name","action","why"},...]}, 10,000 items
  // at most.
  std::string plan;
};

// Blocks until it is through or has failed. Before the archive was read whole nothing is written to the cluster. One
// object that cannot be restored makes it PartiallyFailed. Nothing is ever deleted. Memory: about 40 MiB and 300 bytes
// an object.
RestoreOutcome restore(const ClusterAccess& access, const BackupPlace& place, const RestoreOrder& order, EngineServices services,
                       RestoreProgress& progress, std::stop_token stop);

// A restore as the bucket has it.
struct RestoreRecord {
  std::string name, backup, phase, started, completed, failure_reason;
  uint64_t items = 0, total = 0, warnings = 0, errors = 0;
};

// Those that Holdfast made, by name.
Result<std::vector<RestoreRecord>> list_restores(const BackupPlace& place);
// nullopt where there is none.
Result<std::optional<RestoreRecord>> find_restore(const BackupPlace& place, const std::string& name);
// The Restore object; the text of its log, the first 64 MiB. kNotFound.
Result<std::string> restore_document(const BackupPlace& place, const std::string& name);
Result<std::string> restore_log(const BackupPlace& place, const std::string& name);
// Its records; the cluster is not touched. kNotFound.
Result<void> delete_restore(const BackupPlace& place, const std::string& name);
// Whatever lies in the bucket of a restore of that name, ours or Velero's.
Result<void> delete_restore_records(const BackupPlace& place, const std::string& name);
// May a restore be called so? kInvalidArgument: it is no name; kAlreadyExists: there is one, and it wrote something.
Result<void> check_restore_name(const BackupPlace& place, const std::string& name);
// Object keys of a restore's records.
std::string restore_key(const BackupPlace& place, const std::string& name, const std::string& file);
inline constexpr const char* kRestoreDocument = "holdfast-restore.json";
// Records a restore that ended with the process that ran it.
Result<void> record_broken_restore(const BackupPlace& place, const std::string& name, const std::string& reason, Clock& clock);

}  // namespace holdfast::k8s
