// Rests of background work.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace holdfast {

// Sleeps so many times as long as the work that began then took (at most 100 ms), so that others have the rest of the time.
inline void rest_after(std::chrono::steady_clock::time_point began, int times = 1) {
  constexpr std::chrono::steady_clock::duration kLongest = std::chrono::milliseconds(100);
  std::this_thread::sleep_for(std::min(times * (std::chrono::steady_clock::now() - began), kLongest));
}

}  // namespace holdfast
