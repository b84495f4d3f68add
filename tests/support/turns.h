// Lets two threads go on one call at a time, in an order that a seed says.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <vector>

namespace holdfast::test {

// Two appliances at one site: lets one of them make one call at a time, as a seed says.
class Turns {
 public:
  explicit Turns(uint64_t seed) : random_(seed) {}

  void enter(size_t who) {
    std::unique_lock lock(mutex_);
    states_[who] = State::kWaiting;
    choose();
    changed_.wait(lock, [&] { return chosen_ == who; });
    chosen_ = kNobody;
    states_[who] = State::kRunning;
  }
  void end(size_t who) {
    std::lock_guard lock(mutex_);
    states_[who] = State::kDone;
    choose();
  }

 private:
  enum class State { kRunning, kWaiting, kDone };
  static constexpr size_t kNobody = 2;

  void choose() {
    std::vector<size_t> waiting;
    for (size_t i = 0; i < states_.size(); ++i) {
      if (states_[i] == State::kRunning) return;
      if (states_[i] == State::kWaiting) waiting.push_back(i);
    }
    if (waiting.empty() || chosen_ != kNobody) return;
    chosen_ = waiting[random_() % waiting.size()];
    changed_.notify_all();
  }

  std::mt19937_64 random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<State, 2> states_{};
  size_t chosen_ = kNobody;
};

}  // namespace holdfast::test
