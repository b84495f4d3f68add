// Commands in pods around their backup.
#pragma once

#include "k8s/client/discovery.h"
#include "k8s/hooks/hook_run.h"

namespace holdfast::k8s {

// Not thread-safe. A hook that fails is an error in the log.
class PodBackupHooks {
 public:
  using Runner = std::function<Result<CommandOutput>(HookPhase, const PodCommand&)>;

  PodBackupHooks(std::vector<BackupHooks> hooks, const Discovery& discovery, Runner runner, RunLog& log);

  // Does this pod have any, of its own or of the spec?
  bool any_for(const json::object& pod) const;
  // Runs those of the phase, one after the other. False: one failed whose onError is Fail; those behind it were not run.
  bool run(HookPhase phase, const json::object& pod);

  // As status.hookStatus counts them.
  uint64_t attempted() const { return attempted_; }
  uint64_t failed() const { return failed_; }

 private:
  struct Named {
    std::string name;
    ExecHook hook;
  };
  std::vector<Named> hooks_of(HookPhase phase, const json::object& pod, std::vector<std::string>& problems) const;
  std::vector<BackupHooks> hooks_;
  const Runner runner_;
  RunLog& log_;
  uint64_t attempted_ = 0, failed_ = 0;
};

}  // namespace holdfast::k8s
