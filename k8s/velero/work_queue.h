// What a server has to look at, and when: each thing once, however often it is asked for.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

#include "storage/base/clock.h"

namespace holdfast::k8s {

// Thread-safe.
template <typename Key>
class WorkQueue {
 public:
  explicit WorkQueue(Clock& clock) : clock_(clock) {}

  // In line for `delay` from now, unless it is due sooner already.
  void add(const Key& key, std::chrono::milliseconds delay = std::chrono::milliseconds(0)) {
    std::lock_guard lock(mutex_);
    const int64_t due_ms = clock_.monotonic_ms() + delay.count();
    const auto [at, added] = due_.try_emplace(key, due_ms);
    if (!added) {
      if (at->second <= due_ms) return;
      order_.erase({at->second, key});
      at->second = due_ms;
    }
    order_.insert({due_ms, key});
    ++changes_;
    changed_.notify_all();
  }

  // Waits for the next one that is due and takes it out of line; nothing: stopped.
  std::optional<Key> next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const int64_t now_ms = clock_.monotonic_ms();
      if (!order_.empty() && order_.begin()->first <= now_ms) {
        Key key = order_.begin()->second;
        order_.erase(order_.begin());
        due_.erase(key);
        return key;
      }
      const int64_t wait_ms = order_.empty() ? kLongestWaitMs : std::min(order_.begin()->first - now_ms, kLongestWaitMs);
      changed_.wait_for(lock, stop, std::chrono::milliseconds(wait_ms), [&, seen = changes_] { return changes_ != seen; });
    }
    return std::nullopt;
  }

 private:
  static constexpr int64_t kLongestWaitMs = 60'000;

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  uint64_t changes_ = 0;
  std::map<Key, int64_t> due_;
  std::set<std::pair<int64_t, Key>> order_;
};

}  // namespace holdfast::k8s
