// What the controllers of one server share.
#pragma once

#include <shared_mutex>

#include "k8s/velero/objects.h"
#include "k8s/velero/work_queue.h"
#include "k8s/velero_server.h"

namespace holdfast::k8s {

// Something to look at: an object, or with kSync the bucket behind a location, with kInstall what the server itself needs, with
// kEverything all of them.
enum class Topic { kBackup, kRestore, kSchedule, kLocation, kDeleteRequest, kDownloadRequest, kStatusRequest, kSync, kInstall, kEverything };
struct WorkKey {
  Topic topic;
  std::string name;
  auto operator<=>(const WorkKey&) const = default;
};
inline WorkKey work_on(Kind kind, const std::string& name) { return {static_cast<Topic>(kind), name}; }

// Runs outlive a server: through the gate they call back only while it is there.
class RunGate {
 public:
  template <typename Call>
  auto through(decltype(std::declval<Call>()()) closed, Call call) {
    std::shared_lock lock(mutex_);
    return closed_ ? closed : call();
  }
  // Waits for calls that are under way.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
  }

 private:
  std::shared_mutex mutex_;
  bool closed_ = false;
};

struct ServerContext {
  const VeleroServerOptions& options;
  ApiClient& client;
  Objects& objects;
  WorkQueue<WorkKey>& queue;
  VeleroAppliance& appliance;
  std::shared_ptr<RunGate> gate;

  Clock& clock() const { return *options.services.clock; }
  const std::string& name_space() const { return options.name_space; }
};

// When to look again; none: when something changes.
using LookAgain = std::optional<std::chrono::milliseconds>;

// Of one topic. Calls come from one thread.
class Controller {
 public:
  virtual ~Controller() = default;
  // Brings about what the object asks for, or the next step of it. Its error is logged and tried again.
  virtual Result<LookAgain> reconcile(const std::string& name) = 0;
};

}  // namespace holdfast::k8s
