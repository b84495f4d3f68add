// What the admin API, the console and the command line may do: the same services that everything else uses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/policies.h"
#include "daemon/recovery.h"
#include "daemon/sites.h"
#include "daemon/verification.h"
#include "daemon/webhooks.h"
#include "k8s/velero_server.h"
#include "storage/bucket_store.h"

namespace holdfast {

struct PoolStatus {
  std::string name, device, state, reason;  // state: "online", "read-only", "degraded"
  bool encrypted = false;
  bool time_unconfirmed = false;
  uint32_t epoch = 0;
  uint64_t capacity_bytes = 0, free_bytes = 0, reserve_bytes = 0, live_bytes = 0, journal_live_bytes = 0, garbage_bytes = 0;
  uint64_t segments = 0, free_segments = 0, journal_segments = 0, bulk_segments = 0;
  uint64_t visible_lsn = 0, applied_lsn = 0, groups = 0, records = 0, epoch_restarts = 0, device_sessions_lost = 0;
  uint64_t snapshot_lsn = 0;
  uint64_t cache_max_bytes = 0, cache_bytes = 0, cache_hits = 0, cache_misses = 0;  // of bodies in memory
};

struct ScrubStatus {
  bool running = false;
  uint64_t versions_checked = 0, bytes_checked = 0, damaged = 0;
  int64_t started_ms = 0, finished_ms = 0;
  std::vector<std::string> damage;
  std::string stopped_by;
};

struct BucketUsage {
  uint64_t objects = 0, object_bytes = 0, versions = 0, version_bytes = 0, uploads = 0, upload_bytes = 0;
};

// Thread-safe; calls may block.
class PoolService {
 public:
  virtual ~PoolService() = default;
  virtual std::vector<PoolStatus> pools() const = 0;
  virtual Result<void> start_scrub(const std::string& pool) = 0;
  virtual Result<ScrubStatus> scrub_status(const std::string& pool) const = 0;
  virtual Result<void> take_snapshot(const std::string& pool) = 0;
  // Lets pool time follow the host's clock again after a leap.
  virtual Result<void> confirm_time(const std::string& pool) = 0;
  virtual Result<BucketUsage> usage(const std::string& bucket) const = 0;
};

struct ClusterStatus {
  std::string name, server, name_space, bucket, prefix, access_key;
  int64_t added_ms = 0;
  bool serve = true;  // its velero.io objects are to be served
  // Are they? "starting", "serving", "observing" (another server does), and why not; empty: not asked for.
  std::string role, role_reason;
  std::string alarm;  // somebody else writes into its part of the bucket; empty: none
};

// A Schedule object of Velero's in a cluster: shown beside the policies, and run by whoever serves the cluster.
struct ClusterSchedule {
  std::string cluster;
  k8s::KnownSchedule schedule;
};

// What a cluster says when it is asked; see k8s/cluster_check.h.
struct ClusterFindings {
  bool reachable = false;
  std::string problem;  // why not
  std::string version;
  uint64_t kinds = 0;
  std::vector<std::string> missing_groups, missing_for_backup, missing_for_restore;
};

struct NewCluster {
  std::string name;
  std::string kubeconfig;            // its text
  std::string kubeconfig_directory;  // files that it names are relative to this
  std::string context;               // empty: its current one
  std::string name_space = "velero";
  std::string bucket = "holdfast";   // made where it is missing; the cluster's part of it is clusters/NAME/
  bool serve = true;                 // be the server behind its velero.io objects
};

// A backup or a restore: one that waits, runs or has ended. A restore point is a backup that has.
struct RunStatus {
  std::string name, phase, started, completed, failure_reason;
  uint64_t items = 0, warnings = 0, errors = 0;
  std::vector<std::string> validation_errors;
  std::string expires;              // of a restore point
  std::string policy, tier;         // of a restore point: that asked for it
  bool verified = false, doubted = false;  // of a restore point: see k8s/point_evidence.h
  int64_t locked_until_ms = 0;      // of a restore point: nobody can remove it before; 0: it is not locked
  std::map<std::string, std::string> labels;  // of a restore point
  std::string backup;               // of a restore: what from
  uint64_t total = 0;               // of a restore: how many items it has to see to
  std::vector<std::string> lacks;   // of a restore: what the cluster lacks for it
  bool planned = false;             // of a restore: it only says what it would do
  std::string plan;                 // that: see k8s/restore_engine.h
};

struct NewBackup {
  std::string name;
  std::string spec = "{}";  // Backup.spec as JSON
  bool by_velero = false;   // where Velero serves the cluster: have it make the backup, volumes too
  std::map<std::string, std::string> labels, annotations;
  bool kept_by_ttl = true;  // false: whoever asked for it sees to its end
  bool urgent = false;      // before all that wait and are not
};

struct NewRestore {
  std::string name;
  std::string spec = "{}";     // Restore.spec as JSON
  std::string from_cluster;    // whose restore points it is about; empty: the cluster's own
  std::string from_site;       // read from the copy there, of a cluster that need not be known here; empty: from here
  bool plan = false;           // only find out what it would do
  bool partial = false;        // go on although something will be missing
  int64_t namespace_timeout_s = 600;  // how long one that is terminating is waited for
};

// Part of the archive of a restore point.
struct ArchivePiece {
  std::string bytes;
  uint64_t total_bytes = 0;
  std::string etag;  // of the whole: another one, another archive
};

// Thread-safe; calls may block.
class ClusterService {
 public:
  virtual ~ClusterService() = default;
  // Nothing is kept of a cluster that is not reached or does not let us in.
  virtual Result<ClusterFindings> add_cluster(const NewCluster& cluster) = 0;
  virtual std::vector<ClusterStatus> clusters() const = 0;
  // Of clusters whose velero.io objects are served or observed.
  virtual std::vector<ClusterSchedule> schedules() const = 0;
  virtual Result<ClusterFindings> check_cluster(const std::string& name) = 0;
  // Forgets the cluster and its access key; its restore points stay.
  virtual Result<void> remove_cluster(const std::string& name) = 0;

  // Returns when it has begun or stands in line: one at a time runs per cluster.
  virtual Result<void> start_backup(const std::string& cluster, const NewBackup& backup) = 0;
  // Restore points, and what runs or has failed since the daemon's start.
  virtual Result<std::vector<RunStatus>> backups(const std::string& cluster) = 0;
  virtual Result<RunStatus> backup(const std::string& cluster, const std::string& name) = 0;
  // The Backup object as JSON; the log as text, its first 64 MiB.
  virtual Result<std::string> backup_document(const std::string& cluster, const std::string& name) = 0;
  virtual Result<std::string> backup_log(const std::string& cluster, const std::string& name) = 0;
  // From this offset on, as much as fits into one answer. kInvalidArgument: behind its end.
  virtual Result<ArchivePiece> backup_archive(const std::string& cluster, const std::string& name, uint64_t offset_bytes) = 0;
  // kPermissionDenied (kLock): it is locked. Where Velero serves the cluster, Velero is asked to, for what it keeps of volumes goes with it: then it is gone some time later.
  virtual Result<void> delete_backup(const std::string& cluster, const std::string& name) = 0;
  // Nobody can remove it before that time; a longer lock stays. The data of volumes is not in it. kUnavailable: it has not ended yet.
  virtual Result<void> lock_backup(const std::string& cluster, const std::string& name, int64_t until_ms) = 0;
  // One that waits or runs ends as failed, soon.
  virtual void cancel_backup(const std::string& cluster, const std::string& name) = 0;

  // The same for restores into a cluster. A plan is kept until five newer ones were made, or the daemon ends.
  virtual Result<void> start_restore(const std::string& cluster, const NewRestore& restore) = 0;
  virtual Result<std::vector<RunStatus>> restores(const std::string& cluster) = 0;
  virtual Result<RunStatus> restore(const std::string& cluster, const std::string& name) = 0;
  virtual Result<std::string> restore_document(const std::string& cluster, const std::string& name) = 0;
  virtual Result<std::string> restore_log(const std::string& cluster, const std::string& name) = 0;
  // Its records; what it brought into the cluster stays.
  virtual Result<void> delete_restore(const std::string& cluster, const std::string& name) = 0;
};

struct Services {
  BucketStore* buckets = nullptr;
  UserStore* users = nullptr;
  PoolService* pools = nullptr;
  ClusterService* clusters = nullptr;
  PolicyService* policies = nullptr;
  SiteService* sites = nullptr;
  RecoveryService* recovery = nullptr;
  WebhookService* webhooks = nullptr;
  VerificationService* verifications = nullptr;
};

}  // namespace holdfast
