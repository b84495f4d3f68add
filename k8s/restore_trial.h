// Restores a restore point into namespaces that are made for it and removed again: does it come back, and does it run?
//
// What reaches beyond those namespaces is not let loose: services get no load balancer and no node port, jobs and cron jobs
// are suspended, claims get new volumes, pods have no priority, and where the network plugin keeps policies, pods reach each other and DNS alone.
// Ingresses, autoscalers and custom resources are only tried as a dry run, unless asked for: their controllers act on the
// world outside. Objects of the cluster as a whole are not restored.
#pragma once

#include <atomic>
#include <stop_token>

#include "k8s/restore_engine.h"

namespace holdfast::k8s {

// What the restore of a trial is called in its records.
inline std::string trial_restore_name(const std::string& id) { return "trial-" + id; }
// Label of the namespaces of a trial: its id.
inline constexpr const char* kTrialLabel = "holdfast.io/trial";

// Is what was restored of use? Either a command that has to succeed in a pod, or a path of a service that has to answer 2xx
// to a GET through the API server.
struct TrialCheck {
  std::string name_space;                           // as in the restore point
  std::string pod, selector, container;             // the pod, or the labels of it; container empty: the first
  std::vector<std::string> command;
  std::string service, port, path;
  std::chrono::milliseconds within{60'000};         // it is tried until then

  std::string text() const;  // "exec in shop/app=db"
};

struct TrialOrder {
  std::string id;                               // a label's value, 12 characters at most
  BackupPlace source;
  std::string backup;
  BackupPlace records;                          // where the restore's records lie meanwhile
  std::vector<std::string> namespaces;          // empty: all but those of the cluster itself and `left_out`
  std::vector<std::string> left_out;            // namespaces
  std::vector<std::string> excluded_resources;
  bool custom_resources = false;                // restore those, too
  bool isolated = true;                         // with a network policy
  std::chrono::milliseconds ready_within{600'000};
  std::vector<TrialCheck> checks;
  std::string spool_directory;                  // as in RestoreOrder
};

struct TrialProgress {
  // "reading", "restoring", "waiting until it is ready", "comparing", "checking", "removing"
  std::atomic<const char*> step{"reading"};
};

struct TrialOutcome {
  bool tried = false;                 // false: `reason` says why nothing can be said about the restore point
  std::string reason;
  uint64_t problems = 0;
  std::vector<std::string> problem;   // the first 100, a sentence each; values of objects are never in them
  uint64_t restored = 0, dry_run = 0, compared = 0, awaited = 0, checked = 0;
  int64_t ready_ms = 0;               // from its beginning until everything was ready
  std::string not_removed;            // why namespaces are left; empty: nothing is left

  bool good() const { return tried && problems == 0; }
};

// Blocks until it is through and has removed what it made. What was ready when it was backed up has to become ready.
TrialOutcome try_restore(const ClusterAccess& access, const TrialOrder& order, EngineServices services, TrialProgress& progress, std::stop_token stop);

// Removes what a trial has left. kDeadlineExceeded: some of it is still there after `patience`.
Result<void> remove_trial(const ClusterAccess& access, const std::string& id, Clock& clock, std::chrono::milliseconds patience);

}  // namespace holdfast::k8s
