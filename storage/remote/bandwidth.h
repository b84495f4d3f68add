// How fast bytes may go to one site and come from it, all transfers together.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "storage/base/clock.h"

namespace holdfast {

// Thread-safe.
class Bandwidth {
 public:
  Bandwidth(Clock& clock, uint64_t bytes_per_second) : clock_(clock), bytes_per_second_(bytes_per_second) {}

  // 0: as fast as it goes. What was reserved before keeps its time.
  void limit(uint64_t bytes_per_second) { bytes_per_second_ = bytes_per_second; }
  uint64_t bytes_per_second() const { return bytes_per_second_; }

  // How long the caller has to wait before it moves so many: until what was reserved before has gone.
  std::chrono::milliseconds reserve(uint64_t bytes) {
    const uint64_t rate = bytes_per_second_;
    if (rate == 0 || bytes == 0) return std::chrono::milliseconds(0);
    std::lock_guard lock(mutex_);
    const int64_t now_us = clock_.monotonic_ms() * 1000;
    const int64_t begins_us = std::max(free_at_us_, now_us);
    free_at_us_ = begins_us + static_cast<int64_t>(static_cast<double>(bytes) * 1e6 / static_cast<double>(rate));
    return std::chrono::milliseconds((begins_us - now_us) / 1000);
  }

 private:
  Clock& clock_;
  std::atomic<uint64_t> bytes_per_second_;
  std::mutex mutex_;
  int64_t free_at_us_ = 0;
};

}  // namespace holdfast
