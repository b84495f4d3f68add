// Background work in one shape: do one bounded unit, say how long to wait, be stoppable at any time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace holdfast {

// Runs `unit` on a thread of its own until stopped. A unit returns the wait before the next one.
class Worker {
 public:
  using Unit = std::function<std::chrono::milliseconds(std::stop_token)>;

  Worker(std::string name, Unit unit);
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Ends the current wait, so that the next unit starts now.
  void wake();
  // Asks the running unit to end and joins it. Idempotent.
  void stop();

 private:
  void run(std::stop_token stop);

  std::string name_;
  Unit unit_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::jthread thread_;
};

}  // namespace holdfast
