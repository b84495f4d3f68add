// Commands to run in pods before and after they are backed up, and after they were restored; the specs and annotations
// of https://velero.io/docs/main/backup-hooks/ and https://velero.io/docs/main/restore-hooks/.
#pragma once

#include <optional>

#include "k8s/spec/label_selector.h"
#include "k8s/spec/name_lists.h"

namespace holdfast::k8s {

inline constexpr int64_t kDefaultHookTimeoutMs = 30'000;

struct ExecHook {
  std::string container;  // empty: the pod's first
  std::vector<std::string> command;
  bool fail = false;      // onError: Fail
  int64_t timeout_ms = kDefaultHookTimeoutMs;
};

// Which pods a hook of a spec is for.
struct HookScope {
  std::string name;
  NameLists namespaces, resources;
  std::optional<LabelSelector> labels;

  bool covers(const std::string& name_space, const json::object& pod_labels) const;
};

struct BackupHooks {
  HookScope scope;
  std::vector<ExecHook> pre, post;
};

enum class HookPhase { kPre, kPost };

// Backup.spec.hooks. What is wrong with it goes to `problems`.
std::vector<BackupHooks> parse_backup_hooks(const json::object& spec, std::vector<std::string>& problems);
// The hook that the pod's annotations ask for, which then takes the place of those of the spec. A time-out that is none goes to `problems`,
// and the default holds.
std::optional<ExecHook> backup_hook_of(const json::object& annotations, HookPhase phase, std::vector<std::string>& problems);

struct RestoreExecHook : ExecHook {
  std::string name;            // of the spec's entry
  int64_t wait_timeout_ms = 0;  // for the container to come up; 0: none
  bool wait_for_ready = false;  // else it needs only to run
};

struct RestoreHooks {
  HookScope scope;  // of the namespaces that pods are restored into
  std::vector<RestoreExecHook> exec;
  json::array init_containers;
};

// Restore.spec.hooks.
std::vector<RestoreHooks> parse_restore_hooks(const json::object& spec, std::vector<std::string>& problems);
std::optional<RestoreExecHook> restore_hook_of(const json::object& annotations, std::vector<std::string>& problems);
// The container that annotations ask for. `generated_name`: where they name none.
std::optional<json::object> init_container_of(const json::object& annotations, const std::string& generated_name);

}  // namespace holdfast::k8s
