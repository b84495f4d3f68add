#include "storage/base/worker.h"

#include <pthread.h>

namespace holdfast {

Worker::Worker(std::string name, Unit unit)
    : name_(std::move(name)), unit_(std::move(unit)), thread_([this](std::stop_token stop) { run(stop); }) {}

void Worker::wake() {
  std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Worker::run(std::stop_token stop) {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  while (!stop.stop_requested()) {
    const std::chrono::milliseconds wait = unit_(stop);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, wait, [this] { return woken_; });
    woken_ = false;
  }
}

}  // namespace holdfast
