// Many calls to one API server at a time.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace holdfast::k8s {

// More than this only wait for each other in the API server.
inline constexpr size_t kWriters = 16;

// Calls `work` once with each number below `n`, from several threads; returns when all have returned.
inline void side_by_side(size_t n, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto share = [&] {
    for (size_t at = next++; at < n; at = next++) work(at);
  };
  std::vector<std::jthread> helpers;
  for (size_t i = 1; i < std::min(kWriters, n); ++i) helpers.emplace_back(share);
  share();
}

}  // namespace holdfast::k8s
