// The pieces that the servers share.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <atomic>
#include <thread>
#include <vector>

#include "storage/net/slots.h"

namespace holdfast::test {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

struct Log {
  std::vector<std::string> lines;
};

asio::awaitable<void> hold(std::shared_ptr<Slots> slots, std::string name, Log* log, milliseconds longest_wait, milliseconds work) {
  const Slot slot = co_await slots->take(longest_wait);
  log->lines.push_back(name + (slot ? " in" : " in vain"));
  if (!slot) co_return;
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, work);
  co_await timer.async_wait(asio::use_awaitable);
  log->lines.push_back(name + " out");
}

TEST(Slots, AreGivenInTheOrderOfArrival) {
  asio::io_context io;
  auto slots = std::make_shared<Slots>(1);
  Log log;
  for (const char* name : {"a", "b", "c"}) {
    asio::co_spawn(io, hold(slots, name, &log, std::chrono::hours(1), milliseconds(1)), asio::detached);
  }
  io.run();
  EXPECT_EQ((std::vector<std::string>{"a in", "a out", "b in", "b out", "c in", "c out"}), log.lines);
}

TEST(Slots, OneThatWaitedInVainTakesNoPlace) {
  asio::io_context io;
  auto slots = std::make_shared<Slots>(1);
  Log log;
  asio::co_spawn(io, hold(slots, "a", &log, std::chrono::hours(1), milliseconds(500)), asio::detached);
  asio::co_spawn(io, hold(slots, "b", &log, milliseconds(0), milliseconds(0)), asio::detached);
  asio::co_spawn(io, hold(slots, "c", &log, std::chrono::hours(1), milliseconds(0)), asio::detached);
  io.run();
  EXPECT_EQ((std::vector<std::string>{"a in", "b in vain", "a out", "c in", "c out"}), log.lines);
}

asio::awaitable<void> count(std::shared_ptr<Slots> slots, std::atomic<int>* inside, std::atomic<int>* most, std::atomic<int>* done) {
  auto executor = co_await asio::this_coro::executor;
  for (int turn = 0; turn < 200; ++turn) {
    const Slot slot = co_await slots->take(std::chrono::hours(1));
    const int now = ++*inside;
    for (int seen = *most; now > seen && !most->compare_exchange_weak(seen, now);) {
    }
    asio::steady_timer timer(executor, std::chrono::microseconds(10));
    co_await timer.async_wait(asio::use_awaitable);
    --*inside;
    ++*done;
  }
}

TEST(Slots, NeverMoreThanTheirNumberFromManyThreads) {
  auto slots = std::make_shared<Slots>(3);
  std::atomic<int> inside = 0, most = 0, done = 0;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  for (int i = 0; i < 4; ++i) {
    contexts.push_back(std::make_unique<asio::io_context>(1));
    for (int c = 0; c < 5; ++c) asio::co_spawn(*contexts.back(), count(slots, &inside, &most, &done), asio::detached);
  }
  // Between a grant and its arrival a context may have nothing else to do.
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  for (auto& c : contexts) guards.emplace_back(asio::make_work_guard(*c));
  std::vector<std::thread> threads;
  for (auto& c : contexts) threads.emplace_back([&c] { c->run(); });
  while (done < 4 * 5 * 200) std::this_thread::yield();
  guards.clear();
  for (auto& t : threads) t.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(4 * 5 * 200, done);
}

}  // namespace
}  // namespace holdfast::test
