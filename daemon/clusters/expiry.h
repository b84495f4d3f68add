// Removes restore points whose time is up.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/clusters/registry.h"
#include "k8s/backup_engine.h"

namespace holdfast {

// Only those that Holdfast made and that are kept by their TTL; Velero sees to its own. While the host's clock is not to be
// trusted nothing is removed. Thread-safe.
class Expiry {
 public:
  using PlaceOf = std::function<k8s::BackupPlace(const ClusterStatus&)>;
  // `is_served`: the server of a cluster's velero.io objects sees to it, with the objects.
  Expiry(const ClusterRegistry& registry, PlaceOf place_of, std::function<bool(const std::string& cluster)> is_served, Clock& clock, std::function<bool()> clock_is_sure)
      : registry_(registry), place_of_(std::move(place_of)), is_served_(std::move(is_served)), clock_(clock), clock_is_sure_(std::move(clock_is_sure)) {}

  void start();
  // There may be something that expires sooner.
  void wake();

 private:
  void work(const std::stop_token& stop);
  // When something expires next, in Unix time; INT64_MAX: nothing.
  int64_t remove_expired(const std::stop_token& stop);

  const ClusterRegistry& registry_;
  const PlaceOf place_of_;
  const std::function<bool(const std::string& cluster)> is_served_;
  Clock& clock_;
  const std::function<bool()> clock_is_sure_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread worker_;
};

}  // namespace holdfast
