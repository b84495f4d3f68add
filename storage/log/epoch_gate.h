// Keeps what a reader may still be looking at from being taken away under it.
//
// A reader enters before it looks anything up. What becomes unreachable is stamped with mark(); it may be taken
// away once passed(stamp) says that every reader that entered before has left.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

namespace holdfast {

// Thread-safe.
class EpochGate {
 public:
  class Pin {
   public:
    Pin() = default;
    Pin(EpochGate* gate, uint64_t ticket) : gate_(gate), ticket_(ticket) {}
    Pin(Pin&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), ticket_(other.ticket_) {}
    Pin& operator=(Pin&& other) noexcept {
      std::swap(gate_, other.gate_);
      std::swap(ticket_, other.ticket_);
      return *this;
    }
    ~Pin() {
      if (gate_ != nullptr) gate_->leave(ticket_);
    }

   private:
    EpochGate* gate_ = nullptr;
    uint64_t ticket_ = 0;
  };

  Pin enter() {
    std::lock_guard lock(mutex_);
    inside_.insert(now_);
    return Pin(this, now_);
  }
  uint64_t mark() {
    std::lock_guard lock(mutex_);
    return now_++;
  }
  bool passed(uint64_t stamp) const {
    std::lock_guard lock(mutex_);
    return inside_.empty() || *inside_.begin() > stamp;
  }

 private:
  void leave(uint64_t ticket) {
    std::lock_guard lock(mutex_);
    inside_.erase(inside_.find(ticket));
  }
  mutable std::mutex mutex_;
  std::multiset<uint64_t> inside_;
  uint64_t now_ = 1;
};

}  // namespace holdfast
