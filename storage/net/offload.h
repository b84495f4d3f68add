// Runs blocking work on worker threads while the coroutine's I/O thread goes on serving sockets.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "storage/base/status.h"
#include "storage/net/completion.h"

namespace holdfast {

// What `work` returns; an exception becomes kInternal.
template <typename R, typename F>
R guarded(F& work) {
  try {
    return work();
  } catch (const std::exception& e) {
    return R(error(Code::kInternal, std::string("unexpected: ") + e.what()));
  }
}

// Work that runs beside the coroutine that started it. `F` returns a Result.
// The coroutine must call finish() before what `work` refers to goes away.
template <typename R>
class Background {
 public:
  explicit Background(boost::asio::any_io_executor executor) : state_(std::make_shared<State>(executor)) {}

  template <typename F>
  void start(boost::asio::thread_pool& workers, F work) {
    state_->running = true;
    state_->result.reset();
    state_->timer.expires_at(std::chrono::steady_clock::time_point::max());
    boost::asio::post(workers, [state = state_, work = std::move(work)]() mutable {
      R result = guarded<R>(work);
      boost::asio::post(state->executor, [state, result = std::move(result)]() mutable {
        state->result.emplace(std::move(result));
        state->running = false;
        state->timer.cancel();
      });
    });
  }
  bool running() const { return state_->running; }

  boost::asio::awaitable<R> finish() {
    auto state = state_;
    while (state->running) {
      boost::system::error_code ec;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ec);
      co_await state->timer.async_wait(token);
    }
    R result = std::move(*state->result);
    co_return result;
  }

 private:
  struct State {
    explicit State(boost::asio::any_io_executor e) : executor(e), timer(e) {}
    boost::asio::any_io_executor executor;
    boost::asio::steady_timer timer;
    bool running = false;
    std::optional<R> result;
  };
  std::shared_ptr<State> state_;
};

// Runs `work`, which returns a Result, and gives what it returned.
template <typename F>
boost::asio::awaitable<std::invoke_result_t<F>> offload(boost::asio::thread_pool& workers, F work) {
  using R = std::invoke_result_t<F>;
  auto start = [&workers, &work](std::function<void(R)> done) {
    boost::asio::post(workers, [work = std::move(work), done = std::move(done)]() mutable { done(guarded<R>(work)); });
  };
  R result = co_await completion_of<R>(start);
  co_return result;
}

}  // namespace holdfast
