// Gives the host or the target back what a pool has freed, without holding up who writes.
#pragma once

#include <chrono>

#include "storage/log/allocator.h"

namespace holdfast {

// Used by one thread.
class SpaceReturn {
 public:
  SpaceReturn(Allocator& allocator, BlockDevice& device) : allocator_(allocator), device_(device) {}

  // Discards at most one segment. As long as segments come and go a few are kept for the next writes; once nothing has changed for half a
  // minute all go. True: there is more to do, and a pause of kPause before it leaves the device to others.
  bool step(std::chrono::steady_clock::time_point now) {
    if (const uint64_t turnover = allocator_.turnover(); turnover != turnover_ || now < changed_) {
      turnover_ = turnover;
      changed_ = now;
    }
    return allocator_.discard_one(device_, now - changed_ >= kQuiet);
  }

  static constexpr auto kPause = std::chrono::milliseconds(50);
  static constexpr auto kQuiet = std::chrono::seconds(30);

 private:
  Allocator& allocator_;
  BlockDevice& device_;
  uint64_t turnover_ = 0;
  std::chrono::steady_clock::time_point changed_ = std::chrono::steady_clock::time_point::max();  // until the first step
};

}  // namespace holdfast
