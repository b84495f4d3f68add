// The newest version of a key, remembered: alone, in the index, and under readers while the key changes.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/index/version_cache.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

VersionPtr version_of(const std::string& key, VersionSeq seq) {
  auto v = std::make_shared<StoredVersion>();
  v->info.bucket = 1;
  v->info.key = key;
  v->info.seq = seq;
  return v;
}

TEST(VersionCache, KeepsWhatWasReadUnlessTheKeyChangedMeanwhile) {
  VersionCache cache(1 << 20);
  const uint64_t before = cache.changes(1, "k");
  cache.put(version_of("k", 5), before);
  ASSERT_TRUE(cache.get(1, "k"));
  EXPECT_EQ(cache.get(1, "k")->info.seq, 5u);
  EXPECT_FALSE(cache.get(2, "k")) << "another bucket";
  EXPECT_FALSE(cache.get(1, "k2"));
  cache.forget(1, "k");
  EXPECT_FALSE(cache.get(1, "k"));
  cache.put(version_of("k", 5), before);
  EXPECT_FALSE(cache.get(1, "k")) << "read before the change";
  cache.put(version_of("k", 6), cache.changes(1, "k"));
  ASSERT_TRUE(cache.get(1, "k"));
  EXPECT_EQ(cache.get(1, "k")->info.seq, 6u);
}

TEST(VersionCache, ForgetsWhatAFactChanges) {
  VersionCache cache(1 << 20);
  const Fact facts[] = {Fact(VersionPut{*version_of("k", 7), {}, {}, {}, 0, {}}), Fact(VersionRemove{1, "k", 5}), Fact(VersionAttributes{1, "k", 5, {}})};
  for (const Fact& fact : facts) {
    cache.put(version_of("k", 5), cache.changes(1, "k"));
    cache.put(version_of("other", 5), cache.changes(1, "other"));
    ASSERT_TRUE(cache.get(1, "k"));
    cache.forget(fact);
    EXPECT_FALSE(cache.get(1, "k")) << fact.index();
    EXPECT_TRUE(cache.get(1, "other")) << fact.index();
  }
}

TEST(VersionCache, StaysBelowItsBound) {
  VersionCache cache(1 << 20);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "k" + std::to_string(i);
    cache.put(version_of(key, 1), cache.changes(1, key));
    ASSERT_LE(cache.statistics().bytes, 1u << 20);
  }
  EXPECT_GT(cache.statistics().bytes, 1u << 19);
  EXPECT_TRUE(cache.get(1, "k4999"));
  EXPECT_FALSE(cache.get(1, "k0"));
  auto large = std::make_shared<StoredVersion>(*version_of("large", 1));
  large->parts.resize(100);
  cache.put(large, cache.changes(1, "large"));
  EXPECT_FALSE(cache.get(1, "large"));
}

TEST(VersionCache, TheIndexAnswersFromItUntilTheKeyChanges) {
  StoreFixture f;
  ASSERT_TRUE(f.open());
  f.make_bucket("b", Versioning::kEnabled);
  const auto first = f.put("b", "k", "one");
  ASSERT_TRUE(first);
  ASSERT_TRUE(f.pool().settle());
  for (int i = 0; i < 3; ++i) ASSERT_EQ(*f.get("b", "k"), "one");
  EXPECT_EQ(f.pool().index().cache_statistics().hits, 2u);

  const auto second = f.put("b", "k", "two");
  ASSERT_TRUE(second);
  ASSERT_EQ(*f.get("b", "k"), "two") << "before the index has it";
  ASSERT_TRUE(f.pool().settle());
  ASSERT_EQ(*f.get("b", "k"), "two");
  ASSERT_TRUE(f.remove("b", "k", VersionRef{.seq = second->seq}));
  ASSERT_EQ(*f.get("b", "k"), "one");
  ASSERT_TRUE(f.pool().settle());
  ASSERT_EQ(*f.get("b", "k"), "one");
  ASSERT_TRUE(f.remove("b", "k"));
  ASSERT_FALSE(f.get("b", "k")) << "a delete marker";
  ASSERT_TRUE(f.pool().settle());
  ASSERT_FALSE(f.get("b", "k"));
}

// Versions of a key only grow: a reader that saw one never sees an older one.
TEST(VersionCache, ReadersNeverSeeAnOlderVersionAgain) {
  StoreFixture f;
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  constexpr int kKeys = 3, kWrites = 400;
  const auto key = [](int n) { return "k" + std::to_string(n % kKeys); };
  for (int n = 0; n < kKeys; ++n) ASSERT_TRUE(f.put("b", key(n), std::to_string(n)));
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0}, reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      std::vector<int> seen(kKeys, 0);
      for (int n = 0; !done; ++n) {
        const auto got = f.get("b", key(n));
        const int now = got ? std::stoi(*got) : -1;
        if (now < seen[static_cast<size_t>(n % kKeys)]) ++wrong;
        seen[static_cast<size_t>(n % kKeys)] = now;
        ++reads;
      }
    });
  }
  for (int n = kKeys; n < kWrites; ++n) {
    if (!f.put("b", key(n), std::to_string(n))) ++wrong;
    if (n % 7 == 0 && !f.pool().settle()) ++wrong;
  }
  done = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, kKeys);
  EXPECT_GT(f.pool().index().cache_statistics().hits, 0u);
}

}  // namespace
}  // namespace holdfast::test
