// A bound on how many coroutines do something costly at once; the others wait for their turn.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>

namespace holdfast {

class Slots;

// Gives its place to the next in line when it ends. Empty: the wait was in vain.
class Slot {
 public:
  Slot() = default;
  explicit Slot(std::shared_ptr<Slots> from) : from_(std::move(from)) {}
  Slot(Slot&& other) noexcept = default;
  Slot& operator=(Slot&&) = delete;
  ~Slot();
  explicit operator bool() const { return from_ != nullptr; }

 private:
  std::shared_ptr<Slots> from_;
};

// Thread-safe. Places are given in the order of arrival. Every coroutine's executor runs one handler at a time.
class Slots : public std::enable_shared_from_this<Slots> {
 public:
  explicit Slots(size_t count) : free_(count) {}
  boost::asio::awaitable<Slot> take(std::chrono::milliseconds longest_wait);

 private:
  friend class Slot;
  struct Waiter {
    explicit Waiter(const boost::asio::any_io_executor& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    bool granted = false;
  };
  bool enter_at_once();
  // True: granted at once; else it waits in line.
  bool enter(const std::shared_ptr<Waiter>& waiter);
  void release();
  // False: it had been granted in the meantime.
  bool leave(const std::shared_ptr<Waiter>& waiter);

  std::mutex mutex_;
  size_t free_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace holdfast
