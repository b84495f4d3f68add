// One hook in one pod.
#pragma once

#include <functional>

#include "k8s/bucket/run_log.h"
#include "k8s/client/pod_exec.h"
#include "k8s/spec/hooks.h"

namespace holdfast::k8s {

using CommandRunner = std::function<Result<CommandOutput>(const PodCommand&)>;

// Runs it, and writes what it said into the log. `what`: the hook, for the log. Returns why it failed; empty where it did
// not, or where the pod's containers have ended for good. Thread-safe where `runner` is.
std::string run_hook(const std::string& what, const ExecHook& hook, const json::object& pod, const CommandRunner& runner, RunLog& log);

// status.hookStatus of a Backup or Restore.
json::object hook_status(uint64_t attempted, uint64_t failed);

}  // namespace holdfast::k8s
