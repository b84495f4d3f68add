// Removes restore points whose time is up.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/clusters/registry.h"
#include "k8s/backup_engine.h"

namespace holdfast {

// Only those that Holdfast made and that are kept by their TTL, and that may expire; Velero sees to its own. Thread-safe.
class Expiry {
 public:
  using PlaceOf = std::function<k8s::BackupPlace(const ClusterStatus&)>;
  using MayExpire = std::function<bool(const std::string& cluster, const std::string& backup)>;
  // `is_served`: the server of a cluster's velero.io objects sees to it, with the objects.
  Expiry(const ClusterRegistry& registry, PlaceOf place_of, std::function<bool(const std::string& cluster)> is_served, Clock& clock, MayExpire may_expire)
      : registry_(registry), place_of_(std::move(place_of)), is_served_(std::move(is_served)), clock_(clock), may_expire_(std::move(may_expire)) {}

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
  const MayExpire may_expire_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread worker_;
};

}  // namespace holdfast
