#include "daemon/clusters/expiry.h"

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr int64_t kLongestWaitMs = 600'000;
constexpr int64_t kShortestWaitMs = 1'000;
}  // namespace

void Expiry::start() {
  worker_ = std::jthread([this](std::stop_token stop) { work(stop); });
}

void Expiry::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Expiry::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int64_t next_ms = remove_expired(stop);
    const int64_t now_ms = clock_.wall_ms();
    const int64_t wait_ms = next_ms == INT64_MAX ? kLongestWaitMs : std::clamp(next_ms - now_ms, kShortestWaitMs, kLongestWaitMs);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(wait_ms), [this] { return woken_; });
    woken_ = false;
  }
}

int64_t Expiry::remove_expired(const std::stop_token& stop) {
  int64_t next_ms = INT64_MAX;
  for (const ClusterStatus& cluster : registry_.all()) {
    if (is_served_(cluster.name)) continue;
    const k8s::BackupPlace place = place_of_(cluster);
    const auto points = k8s::list_restore_points(place);
    if (!points) {
      spdlog::error("restore points of cluster {}: {}", cluster.name, points.error().message());
      continue;
    }
    for (const k8s::RestorePoint& p : *points) {
      const auto expires_ms = parse_iso8601(p.expires);
      if (!p.kept_by_ttl || !expires_ms || stop.stop_requested()) continue;
      if (*expires_ms > clock_.wall_ms()) {
        next_ms = std::min(next_ms, *expires_ms);
        continue;
      }
      if (!may_expire_(cluster.name, p.name)) continue;
      if (auto removed = k8s::delete_restore_point(place, p.name); removed) {
        spdlog::info("restore point {} of cluster {} has expired and is removed", p.name, cluster.name);
      } else {
        spdlog::error("restore point {} of cluster {} has expired and cannot be removed: {}", p.name, cluster.name, removed.error().message());
      }
    }
  }
  return next_ms;
}

}  // namespace holdfast
