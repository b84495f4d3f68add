// Work on other threads, awaited.
#include "storage/net/offload.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace holdfast {
namespace {

namespace asio = boost::asio;

// What a coroutine ended with, its io_context run to its end on this thread.
template <typename R>
R run(asio::awaitable<R> (*coroutine)(asio::thread_pool&), asio::thread_pool& workers) {
  asio::io_context io;
  std::optional<R> result;
  asio::co_spawn(io, coroutine(workers), [&](std::exception_ptr failed, R got) {
    EXPECT_EQ(failed, nullptr);
    result.emplace(std::move(got));
  });
  io.run();  // must not take the awaited work for nothing to do
  EXPECT_TRUE(result.has_value());
  return std::move(*result);
}

asio::awaitable<Result<std::thread::id>> where_it_runs(asio::thread_pool& workers) {
  auto work = []() -> Result<std::thread::id> { return std::this_thread::get_id(); };
  Result<std::thread::id> there = co_await offload(workers, std::move(work));
  EXPECT_NE(*there, std::this_thread::get_id());
  Result<std::thread::id> here = std::this_thread::get_id();
  co_return here;
}

TEST(Offload, RunsElsewhereAndGoesOnHere) {
  asio::thread_pool workers(1);
  EXPECT_EQ(*run(where_it_runs, workers), std::this_thread::get_id());
}

asio::awaitable<Result<std::unique_ptr<int>>> many_in_turn(asio::thread_pool& workers) {
  auto sum = std::make_unique<int>(0);
  for (int i = 1; i <= 1000; ++i) {
    auto work = [i]() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(i); };
    Result<std::unique_ptr<int>> got = co_await offload(workers, std::move(work));
    *sum += **got;
  }
  Result<std::unique_ptr<int>> result = std::move(sum);
  co_return result;
}

TEST(Offload, GivesWhatTheWorkReturned) {
  asio::thread_pool workers(3);
  EXPECT_EQ(**run(many_in_turn, workers), 500'500);
}

asio::awaitable<Result<int>> throwing(asio::thread_pool& workers) {
  auto work = []() -> Result<int> { throw std::runtime_error("no more paper"); };
  Result<int> got = co_await offload(workers, std::move(work));
  co_return got;
}

TEST(Offload, AnExceptionIsAnError) {
  asio::thread_pool workers(1);
  const auto got = run(throwing, workers);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code(), Code::kInternal);
  EXPECT_NE(got.error().message().find("no more paper"), std::string::npos);
}

asio::awaitable<Result<int>> told_at_once(asio::thread_pool&) {
  const auto start = [](std::function<void(Result<int>)> done) { done(7); };
  Result<int> got = co_await completion_of<Result<int>>(start);
  co_return got;
}

TEST(Completion, MayBeToldOnTheSameThread) {
  asio::thread_pool workers(1);
  EXPECT_EQ(*run(told_at_once, workers), 7);
}

}  // namespace
}  // namespace holdfast
