// Many calls to a site at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

// Calls `work` with each number below `n`, from up to so many threads, until one fails; blocks until all have returned. Gives the first error.
inline Result<void> side_by_side(size_t n, size_t threads, const std::function<Result<void>(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::optional<Status> failed;
  {
    std::vector<std::jthread> running;
    for (size_t i = 0; i < std::min(std::max<size_t>(threads, 1), n); ++i) {
      running.emplace_back([&] {
        for (size_t at = next++; at < n; at = next++) {
          auto done = work(at);
          if (done) continue;
          next = n;
          std::lock_guard lock(mutex);
          if (!failed) failed = std::move(done.error());
          return;
        }
      });
    }
  }
  if (failed) return std::unexpected(std::move(*failed));
  return {};
}

}  // namespace holdfast
