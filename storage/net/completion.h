// Awaits what another thread will have done.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>

namespace holdfast {

// Calls `start` with a function that must be called once, on any thread, with an R: what the coroutine goes on with, on its own thread.
template <typename R, typename Start>
boost::asio::awaitable<R> completion_of(Start start) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto initiate = [&start, &executor](auto handler) {
    using Handler = decltype(handler);
    // Whoever runs the coroutine's thread must not take it for idle.
    auto tracked = boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
    auto shared = std::make_shared<Handler>(std::move(handler));
    std::function<void(R)> done = [tracked, shared](R result) {
      boost::asio::post(tracked, [shared, result = std::move(result)]() mutable { std::move (*shared)(std::move(result)); });
    };
    start(std::move(done));
  };
  const auto token = boost::asio::use_awaitable;
  auto ended = boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(R)>(initiate, token);
  R result = co_await std::move(ended);
  co_return result;
}

}  // namespace holdfast
