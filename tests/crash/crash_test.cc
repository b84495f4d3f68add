// Power cuts after every single write: what was acknowledged is there, the rest is all or nothing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <thread>

#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

// What a client knows: for every key, the bodies that it may find. One when the last write was acknowledged,
// two while one is in doubt; an empty optional stands for "no such key".
class Ledger {
 public:
  using State = std::optional<std::string>;

  void acknowledged(const std::string& key, State state) { possible_[key] = {std::move(state)}; }
  void in_doubt(const std::string& key, State state) { possible_[key].push_back(std::move(state)); }
  void began(const std::string& key) {
    if (!possible_.contains(key)) possible_[key] = {State{}};
  }
  // After an opening every key is found in one of its states, which is then the only one.
  void check(StoreFixture& f, const std::string& where) {
    for (auto& [key, states] : possible_) {
      auto found = f.get("b", key);
      State state;
      if (found) {
        state = std::move(*found);
      } else {
        ASSERT_EQ(found.error().code(), Code::kNotFound) << where << " " << key << ": " << found.error().to_string();
      }
      const bool known = std::find(states.begin(), states.end(), state) != states.end();
      ASSERT_TRUE(known) << where << ": " << key << " has " << (state ? std::to_string(state->size()) + " bytes" : "gone")
                         << ", " << states.size() << " states possible";
      states = {std::move(state)};
    }
    ListQuery all;
    auto page = f.store().list("b", all);
    ASSERT_TRUE(page) << where;
    size_t expected = 0;
    for (const auto& [key, states] : possible_) expected += states[0].has_value() ? 1 : 0;
    ASSERT_EQ(page->entries.size(), expected) << where;
  }

 private:
  std::map<std::string, std::vector<State>> possible_;
};

size_t pick_size(std::mt19937_64& random) {
  static constexpr size_t kSizes[] = {0, 10, 3000, 16384, 16385, 70'000, 150'000};
  return kSizes[random() % std::size(kSizes)];
}

// Writes and deletes until the device dies. Returns early once it is cut.
void run_workload(StoreFixture& f, Ledger& ledger, std::mt19937_64& random, int steps) {
  for (int i = 0; i < steps && !f.device().is_cut(); ++i) {
    const std::string key = "k" + std::to_string(random() % 8);
    ledger.began(key);
    if (random() % 5 == 0) {
      auto removed = f.remove("b", key);
      if (removed) ledger.acknowledged(key, {}); else ledger.in_doubt(key, {});
      continue;
    }
    const std::string body = random_text(random(), pick_size(random));
    auto put = f.put("b", key, body);
    if (put) ledger.acknowledged(key, body); else ledger.in_doubt(key, body);
  }
}

StoreOptions options_of(uint64_t seed) {
  StoreOptions options;
  options.seed = seed;
  options.encrypted = seed % 2 == 0;
  options.prompt = seed % 4 >= 2;
  options.sparse = seed % 4 == 1 || seed % 4 == 2;
  return options;
}

uint64_t rounds(uint64_t normal) {
  const char* more = std::getenv("HOLDFAST_SOAK");
  return more != nullptr ? normal * std::strtoull(more, nullptr, 10) : normal;
}

// One run: cut after `cut` operations, reopen (perhaps cut again inside recovery), check, go on, check again.
void one_cut(uint64_t seed, int64_t cut, bool keep_index) {
  const std::string where = "seed " + std::to_string(seed) + " cut " + std::to_string(cut);
  std::mt19937_64 random(seed * 1000 + static_cast<uint64_t>(cut));
  StoreFixture first(options_of(seed));
  ASSERT_TRUE(first.open());
  first.make_bucket("b");
  Ledger ledger;
  std::mt19937_64 work(seed);
  first.device().cut_after(cut);
  run_workload(first, ledger, work, 24);
  first.close();
  const uint32_t sector = random() % 2 == 0 ? 512 : 4096;
  Bytes image = image_after_cut(first.device().cut_state(), sector, random);
  auto f = std::make_unique<StoreFixture>(options_of(seed), std::move(image));
  if (keep_index) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::error_code ignored;
      std::filesystem::copy_file(first.index_path() + suffix, f->index_path() + suffix, ignored);
    }
  }
  for (int again = 0; again < 2; ++again) {  // twice in a row, inside the opening
    if (random() % 2 == 0) break;
    f->device().cut_after(static_cast<int64_t>(random() % 12));
    (void)f->open();
    f->close();
    image = image_after_cut(f->device().cut_state(), sector, random);
    f = std::make_unique<StoreFixture>(options_of(seed), std::move(image));
  }
  auto opened = f->open();
  ASSERT_TRUE(opened) << where << ": " << opened.error().to_string();
  ASSERT_EQ(f->pool().read_only_reason(), "") << where;
  ledger.check(*f, where + " after recovery");
  run_workload(*f, ledger, work, 6);
  f->close();
  f->drop_index();
  ASSERT_TRUE(f->open()) << where;
  ledger.check(*f, where + " after a rebuild");
}

TEST(Crash, CutAfterEveryWrite) {
  for (uint64_t seed = 1; seed <= rounds(4); ++seed) {
    int64_t total = 0;
    {
      StoreFixture whole(options_of(seed));
      ASSERT_TRUE(whole.open());
      whole.make_bucket("b");
      const int64_t before = whole.device().operations();
      Ledger ledger;
      std::mt19937_64 work(seed);
      run_workload(whole, ledger, work, 24);
      total = whole.device().operations() - before;
    }
    std::cout << "seed " << seed << ": " << total << " operations\n";
    for (int64_t cut = 0; cut <= total; ++cut) {
      one_cut(seed, cut, cut % 2 == 0);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Crash, WhatAReaderSawIsStillThere) {
  for (uint64_t seed = 1; seed <= rounds(40); ++seed) {
    std::mt19937_64 random(seed);
    StoreFixture f(options_of(seed));
    ASSERT_TRUE(f.open());
    f.make_bucket("b");
    ASSERT_TRUE(f.put("b", "k", "old"));
    f.device().cut_after(static_cast<int64_t>(random() % 6));
    const std::string body = random_text(seed, pick_size(random) + 1);
    (void)f.put("b", "k", body);
    // The store itself may still answer reads from memory and index: whatever it says must survive.
    const auto size = [&]() -> std::optional<uint64_t> {
      auto reader = f.store().get("b", "k", {});
      return reader ? std::optional((*reader)->info().size_bytes) : std::nullopt;
    }();
    f.close();
    StoreFixture after(options_of(seed), image_after_cut(f.device().cut_state(), 512, random));
    ASSERT_TRUE(after.open()) << seed;
    auto found = after.get("b", "k");
    ASSERT_TRUE(found) << seed;
    if (size == body.size()) {
      EXPECT_EQ(*found == body, true) << seed;
    }
  }
}

// The empty record that carries the flushed LSN forward is not flushed itself: lost with a session, it must not
// tear a hole into the log.
TEST(Crash, ALostFlushedMarkLeavesNoHole) {
  for (uint64_t seed = 1; seed <= rounds(5); ++seed) {
    std::mt19937_64 random(seed);
    StoreFixture f(options_of(seed));
    ASSERT_TRUE(f.open());
    f.make_bucket("b");
    Ledger ledger;
    for (int i = 0; i < 4; ++i) {
      run_workload(f, ledger, random, 1);
      // The mark is written by itself, soon after the writers pause.
      const int64_t before = f.device().operations();
      for (int n = 0; n < 200 && f.device().operations() == before; ++n) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      ASSERT_FALSE(f.device().cut_state().unflushed.empty());
      f.device().lose_session(random);
    }
    run_workload(f, ledger, random, 3);
    f.close();
    f.drop_index();
    ASSERT_TRUE(f.open()) << seed;
    ASSERT_EQ(f.pool().read_only_reason(), "") << seed;
    ledger.check(f, "seed " + std::to_string(seed));
  }
}

TEST(Crash, TheTargetAloneLosesItsCache) {
  for (uint64_t seed = 1; seed <= rounds(60); ++seed) {
    std::mt19937_64 random(seed);
    StoreFixture f(options_of(seed));
    ASSERT_TRUE(f.open());
    f.make_bucket("b");
    Ledger ledger;
    for (int i = 0; i < 30; ++i) {
      run_workload(f, ledger, random, 1);
      if (random() % 4 == 0) f.device().lose_session(random);
      if (random() % 9 == 0) f.device().fail_next_flush();
      if (random() % 13 == 0) f.device().fail_next_write();
    }
    // A write in doubt may have been refused for good or have happened: one of the two, for ever.
    Result<ObjectInfo> settled = f.put("b", "settle", "x");
    for (int attempt = 0; attempt < 3 && !settled; ++attempt) settled = f.put("b", "settle", "x");
    ASSERT_TRUE(settled) << seed << ": " << settled.error().to_string();
    ledger.acknowledged("settle", "x");
    ledger.check(f, "seed " + std::to_string(seed) + " alive");
    f.close();
    f.drop_index();
    ASSERT_TRUE(f.open()) << seed;
    ASSERT_EQ(f.pool().read_only_reason(), "") << seed;
    ledger.check(f, "seed " + std::to_string(seed) + " rebuilt");
  }
}

}  // namespace
}  // namespace holdfast::test
