#include "storage/net/slots.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace holdfast {

Slot::~Slot() {
  if (from_) from_->release();
}

bool Slots::enter_at_once() {
  std::lock_guard lock(mutex_);
  if (free_ == 0) return false;
  --free_;
  return true;
}

bool Slots::enter(const std::shared_ptr<Waiter>& waiter) {
  std::lock_guard lock(mutex_);
  waiter->granted = free_ > 0;
  if (waiter->granted) {
    --free_;
  } else {
    waiting_.push_back(waiter);
  }
  return waiter->granted;
}

void Slots::release() {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  const std::shared_ptr<Waiter> next = std::move(waiting_.front());
  waiting_.pop_front();
  next->granted = true;
  // On the waiter's own executor: its timer is not thread-safe.
  boost::asio::post(next->timer.get_executor(), [next] { next->timer.cancel(); });
}

bool Slots::leave(const std::shared_ptr<Waiter>& waiter) {
  std::lock_guard lock(mutex_);
  if (waiter->granted) return false;
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), waiter));
  return true;
}

boost::asio::awaitable<Slot> Slots::take(std::chrono::milliseconds longest_wait) {
  std::shared_ptr<Slots> self = shared_from_this();
  if (enter_at_once()) {
    Slot slot(std::move(self));
    co_return slot;
  }
  auto executor = co_await boost::asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(executor);
  if (!enter(waiter)) {
    waiter->timer.expires_after(longest_wait);
    boost::system::error_code ec;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ec);
    co_await waiter->timer.async_wait(token);
    if (leave(waiter)) self.reset();
  }
  Slot slot(std::move(self));
  co_return slot;
}

}  // namespace holdfast
