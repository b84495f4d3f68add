// The time by which object locks run out. It follows the monotonic clock, never goes back, and does not leap
// forward because somebody set the host's clock: at an opening, more than 24 hours since it was last noted in the
// log waits for an operator's word.
#pragma once

#include <algorithm>
#include <atomic>

#include "storage/base/clock.h"

namespace holdfast {

// Thread-safe.
class PoolTime {
 public:
  static constexpr int64_t kMaxLeapMs = 24 * 3600 * 1000;

  explicit PoolTime(Clock& clock) : clock_(clock) {}

  // `noted_ms`: the newest pool time in the log, 0 on a new pool.
  void start(int64_t noted_ms) {
    const int64_t wall = clock_.wall_ms();
    const bool leap = noted_ms != 0 && wall > noted_ms + kMaxLeapMs;
    unconfirmed_ = leap;
    base_ms_ = leap ? noted_ms : std::max(wall, noted_ms);
    started_ms_ = clock_.monotonic_ms();
  }
  int64_t now_ms() const { return base_ms_ + clock_.monotonic_ms() - started_ms_; }
  // True: the host's clock is ahead and an operator has not confirmed it yet.
  bool unconfirmed() const { return unconfirmed_; }
  void confirm() {
    base_ms_ = std::max(clock_.wall_ms(), now_ms());
    started_ms_ = clock_.monotonic_ms();
    unconfirmed_ = false;
  }

 private:
  Clock& clock_;
  std::atomic<int64_t> base_ms_{0};
  std::atomic<int64_t> started_ms_{0};
  std::atomic<bool> unconfirmed_{false};
};

}  // namespace holdfast
