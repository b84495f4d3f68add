// The server behind the velero.io objects of one cluster, from outside it: what Velero's own Deployment does there, without
// one. It answers to Backup, Restore, Schedule, BackupStorageLocation, DeleteBackupRequest, DownloadRequest and
// ServerStatusRequest as Velero 1.18 does (pkg/controller), and steps back where Velero itself runs.
#pragma once

#include <functional>
#include <memory>

#include "k8s/restore_engine.h"

namespace holdfast::k8s {

// A BackupStorageLocation as its object describes it.
struct LocationClaim {
  std::string provider, bucket, prefix, url;
  bool read_only = false;          // by its accessMode
  bool has_credential = false;
  std::string access_key, secret;  // of its credential
};

struct GrantedLocation {
  BackupPlace place;
  bool read_only = false;  // the key may only read
};

// A run that an object asked for. `begin`: on the run's thread before it does anything; its error: it is not to run.
// `end`: on the same thread afterwards, also after such an error (then with the phase "Failed").
struct BackupRun {
  BackupPlace place;
  BackupOrder order;
  std::function<Result<void>()> begin;
  std::function<void(BackupOutcome)> end;
  // Who makes it; empty: this appliance's engine. What another makes is not cleared away after a crash.
  std::function<BackupOutcome(const BackupPlace&, const BackupOrder&, BackupProgress&, std::stop_token)> by_other;
};
struct RestoreRun {
  BackupPlace place;
  RestoreOrder order;
  std::function<Result<void>()> begin;
  std::function<void(RestoreOutcome)> end;
};

// What the server needs of the appliance, for its cluster. Thread-safe; must outlive the server.
class VeleroAppliance {
 public:
  virtual ~VeleroAppliance() = default;
  // In line with everything else that runs for the cluster. kAlreadyExists: one of that name runs or waits.
  virtual Result<std::shared_ptr<const BackupProgress>> start_backup(BackupRun run) = 0;
  virtual Result<std::shared_ptr<const RestoreProgress>> start_restore(RestoreRun run) = 0;
  // How many stand before it; nothing where it neither runs nor waits.
  virtual std::optional<size_t> backups_before(const std::string& name) const = 0;
  virtual bool is_restoring(const std::string& name) const = 0;
  // kInvalidArgument: it is neither of this appliance nor at a site of its; kPermissionDenied: its credential does not reach it.
  virtual Result<GrantedLocation> grant(const LocationClaim& claim) const = 0;
  // A URL that lets anybody fetch the object for so long, whether or not there is one.
  virtual Result<std::string> download_url(const BackupPlace& place, const std::string& key, std::chrono::seconds lifetime) const = 0;
  // False: it stays for now, whatever its TTL.
  virtual bool may_expire(const std::string& backup) const = 0;
};

// How the cluster's own location is to be described in the cluster.
struct OwnLocation {
  BackupPlace place;
  std::string url;         // of this appliance, as the cluster's people reach it
  std::string region;
  std::string ca_pem;      // that vouches for it; empty: publicly known, or no TLS
  std::string access_key, secret;
};

struct VeleroServerOptions {
  std::string appliance_id;  // another one for each server of the appliance
  uint64_t generation = 0;  // higher at each start of the appliance
  std::string name_space = "velero";
  OwnLocation location;
  EngineServices services;
  std::string spool_directory;
};

struct VeleroServerStatus {
  std::string role;    // "starting", "serving", "observing"
  std::string reason;  // why it does not serve
  std::string alarm;   // another server writes into the cluster's place; empty: none
};

// A Schedule object of the cluster, whoever serves it.
struct KnownSchedule {
  std::string name, schedule, phase, reason;  // "Enabled", "FailedValidation" and why, or empty: no server has seen it
  bool paused = false;
  int64_t next_ms = 0;                        // 0: never, or paused
  std::string last_phase;                     // of its newest Backup object; empty: there is none
  int64_t last_completed_ms = 0;              // when the newest that Completed had ended; 0: none did
};

// Thread-safe. Its end takes up to two seconds, or as long as a call to an API server that does not answer: 20 s at most.
// Runs that it started go on.
class VeleroServer {
 public:
  static std::unique_ptr<VeleroServer> start(const ClusterAccess& access, VeleroServerOptions options, VeleroAppliance& appliance);
  virtual ~VeleroServer() = default;
  virtual VeleroServerStatus status() const = 0;
  // By name, as far as it has seen them.
  virtual std::vector<KnownSchedule> schedules() const = 0;
  // Something happened in the bucket: look there soon.
  virtual void wake() = 0;
  // Where another server answers to the objects: has it make a backup, by a Backup object in the location that lies at
  // `place`, and blocks until it has ended. Its volumes are that server's to save.
  // One that was begun already, by the same run (kRunAnnotation), is followed on.
  virtual BackupOutcome back_up_by_other(const BackupPlace& place, const BackupOrder& order, BackupProgress& progress, std::stop_token stop) = 0;
  // Where another server answers to the objects: asks it to delete a backup. Asking again changes nothing.
  virtual Result<void> delete_by_other(const std::string& backup) = 0;
};

// Finalizer of Restore objects, Velero's own: while it is there, the server sees to what lies in the bucket of them.
inline constexpr const char* kRestoreFinalizer = "restores.velero.io/external-resources-finalizer";

// Takes that finalizer off every restore there, so that they can be deleted without a server.
Result<void> release_restores(const ClusterAccess& access, const std::string& name_space, Clock& clock);

}  // namespace holdfast::k8s
