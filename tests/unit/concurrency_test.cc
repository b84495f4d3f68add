// Many threads on one store: every acknowledged write is seen at once by everybody.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/object/compactor.h"
#include "storage/object/index_snapshot.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

StoreOptions options(bool prompt = false) {
  StoreOptions o;
  o.prompt = prompt;
  o.segments = 400;
  return o;
}

class ConcurrencyTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Prompt, ConcurrencyTest, testing::Bool());

TEST_P(ConcurrencyTest, ReadersSeeEveryAcknowledgedWrite) {
  StoreFixture f(options(GetParam()));
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  constexpr int kThreads = 6, kSteps = 60;
  std::atomic<int> wrong{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < kSteps; ++i) {
        const std::string key = "t" + std::to_string(t) + "/" + std::to_string(random() % 5);
        const std::string body = random_text(random(), random() % 3 == 0 ? 40'000 : 300);
        if (!f.put("b", key, body)) ++wrong;
        auto found = f.get("b", key);
        if (!found || *found != body) ++wrong;
        ListQuery q;
        q.prefix = key;
        auto page = f.store().list("b", q);
        if (!page || page->entries.size() != 1 || page->entries[0].size_bytes != body.size()) ++wrong;
        if (random() % 4 == 0) {
          if (!f.remove("b", key)) ++wrong;
          if (f.get("b", key)) ++wrong;
        }
      }
    });
  }
  // Compaction, trimming and snapshots beside them.
  std::thread background([&] {
    while (!done) {
      Compactor compactor(f.pool());
      if (!compactor.trim_journal()) ++wrong;
      const auto usage = f.pool().volume().allocator->usage();
      for (uint32_t s = 0; s < usage.size() && !done; ++s) {
        const bool sealed = usage[s].state == SegmentUsage::State::kSealed && usage[s].kind == SegmentKind::kBulk;
        if (sealed && !compactor.compact_bulk(s)) ++wrong;
      }
      if (!take_snapshot(f.pool(), f.index_path() + ".snapshot")) ++wrong;
      f.pool().volume().allocator->reclaim();
      (void)f.pool().volume().allocator->discard_one(f.device(), true);
    }
  });
  for (auto& t : threads) t.join();
  done = true;
  background.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_P(ConcurrencyTest, OneOfManyCreatorsWins) {
  StoreFixture f(options(GetParam()));
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        WriteConditions create;
        create.if_none_match_any = true;
        if (f.put("b", "k" + std::to_string(round), std::to_string(t), create)) ++won;
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(won.load(), 1);
  }
}

}  // namespace
}  // namespace holdfast::test
