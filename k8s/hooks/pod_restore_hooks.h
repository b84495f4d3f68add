// Commands in restored pods, once their containers are up; and the init containers that hooks put in front.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "k8s/hooks/hook_run.h"
#include "k8s/hooks/restored_pods.h"

namespace holdfast::k8s {

struct RestoreHookParts {
  CommandRunner runner;
  std::function<Result<RestoredPods>(const std::set<std::string>& names)> look_up;
  std::chrono::milliseconds look_every{1'000};
  // Of hooks without a wait-timeout, behind the last object of the restore.
  std::chrono::milliseconds longest_wait{600'000};
};

// Thread-safe. Hooks run while the restore goes on, those of several containers side by side. One that fails, or is not run at all, is an
// error in the log; one whose onError is Fail also ends all that have not begun.
class PodRestoreHooks {
 public:
  PodRestoreHooks(std::vector<RestoreHooks> hooks, RestoreHookParts parts, RunLog& log);
  ~PodRestoreHooks();

  // Puts the init containers that the spec or the pod's annotations ask for in front. `name_space`: where it goes.
  void prepare(json::object& pod, const std::string& name_space, const std::string& generated_name) const;
  // A pod that was made.
  void add(const json::object& pod);
  // Waits until every hook has run or cannot any more. False from `go_on` ends the waiting.
  void finish(const std::function<bool()>& go_on);

  // As status.hookStatus counts them.
  uint64_t attempted() const;
  uint64_t failed() const;

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Group {  // of one container
    std::string container;
    std::vector<RestoreExecHook> hooks;
    bool begun = false;
  };
  struct Pod {
    std::string key, name_space;
    SteadyClock::time_point made;
    std::vector<Group> groups;
  };
  struct Task {
    const Pod* pod;
    Group* group;
    std::shared_ptr<const json::object> live;
  };

  std::vector<RestoreExecHook> hooks_of(const json::object& pod) const;
  void watch(std::stop_token stop);
  // `pods`: null where they could not be looked up.
  void look(Pod& pod, const RestoredPods* pods);
  void work();
  void run(const Task& task);
  void end_pending(Pod& pod, const std::string& why);
  void fail(const Pod& pod, const RestoreExecHook& hook, const std::string& why);
  void start_threads();

  const std::vector<RestoreHooks> hooks_;
  const RestoreHookParts p_;
  RunLog& log_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Pod> pods_;  // addresses stay
  std::list<Task> ready_;
  size_t pending_ = 0;  // groups whose end was not seen
  bool ended_by_failure_ = false, over_ = false;
  std::optional<SteadyClock::time_point> last_moment_;
  uint64_t attempted_ = 0, failed_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::k8s
