// Bodies in memory: alone, and under a store whose device is gone.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/log/read_cache.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

CachePlace place_of(uint32_t n) { return {n % 7, n * 64, 1 + n % 3}; }

Bytes bytes_of(uint32_t n, size_t size) {
  const std::string text = random_text(n, size);
  return Bytes(as_bytes(text).begin(), as_bytes(text).end());
}

TEST(ReadCache, GivesAnyPartOfWhatIsThere) {
  ReadCache cache(1 << 20);
  const Bytes bytes = bytes_of(1, 5000);
  cache.put(place_of(1), bytes);
  Bytes out(3000);
  ASSERT_TRUE(cache.get(place_of(1), 2000, out));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), bytes.begin() + 2000));
  EXPECT_FALSE(cache.get(place_of(1), 2001, out)) << "it ends before";
  EXPECT_FALSE(cache.get(place_of(1), 6000, out));
  EXPECT_FALSE(cache.get(place_of(2), 0, out));
  CachePlace other_life = place_of(1);
  ++other_life.generation;
  EXPECT_FALSE(cache.get(other_life, 0, out));
  const auto s = cache.statistics();
  EXPECT_EQ(s.hits, 1u);
  EXPECT_EQ(s.misses, 4u);
}

TEST(ReadCache, StaysBelowItsBoundAndKeepsWhatIsAskedFor) {
  ReadCache cache(1 << 20);
  cache.put(place_of(0), bytes_of(0, 1000));
  Bytes out(1000);
  for (uint32_t n = 1; n <= 5000; ++n) {
    cache.put(place_of(n), bytes_of(n, 1000));
    ASSERT_TRUE(cache.get(place_of(0), 0, out)) << n;
    ASSERT_LE(cache.statistics().bytes, 1u << 20);
  }
  EXPECT_GT(cache.statistics().bytes, 1u << 19);
  EXPECT_FALSE(cache.get(place_of(1), 0, out)) << "nobody has asked for it";
  EXPECT_TRUE(cache.get(place_of(5000), 0, out));
  EXPECT_FALSE(cache.is_worth(1 << 18));
  EXPECT_TRUE(cache.is_worth(1 << 17));
  cache.put(place_of(6000), bytes_of(1, 1 << 17));  // more than there is for one
  EXPECT_FALSE(cache.get(place_of(6000), 0, out));
}

TEST(ReadCache, ManyThreadsGetWhatWasPut) {
  ReadCache cache(64 << 10);
  std::atomic<int> wrong{0}, found{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      Bytes out(500);
      for (int i = 0; i < 3000; ++i) {
        const auto n = static_cast<uint32_t>(random() % 200);
        const Bytes expected = bytes_of(n, 500);
        if (!cache.get(place_of(n), 0, out)) {
          cache.put(place_of(n), expected);
        } else {
          ++found;
          if (out != expected) ++wrong;
        }
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(found, 100);
}

// encrypted
class CachedStoreTest : public testing::TestWithParam<bool> {
 protected:
  static StoreOptions options() {
    StoreOptions o;
    o.encrypted = GetParam();
    o.page_cache = false;
    o.cache_bytes = 16 << 20;
    o.prompt = true;
    return o;
  }
};
INSTANTIATE_TEST_SUITE_P(Encryption, CachedStoreTest, testing::Bool());

TEST_P(CachedStoreTest, WhatWasReadNeedsNoDevice) {
  StoreFixture f(options());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  for (size_t size : {10ul, 16'384ul, 200'000ul, 3'000'000ul}) {
    const std::string key = std::to_string(size);
    ASSERT_TRUE(f.put("b", key, random_text(size, size)));
    ASSERT_EQ(*f.get("b", key) == random_text(size, size), true);
  }
  EXPECT_GT(f.pool().cache_statistics().bytes, 200'000u);
  ASSERT_TRUE(f.pool().settle());
  f.device().cut_after(0);
  ASSERT_FALSE(f.device().flush());
  for (size_t size : {10ul, 16'384ul, 200'000ul}) {
    const auto got = f.get("b", std::to_string(size));
    ASSERT_TRUE(got) << size << ": " << got.error().to_string();
    EXPECT_EQ(*got == random_text(size, size), true) << size;
  }
  EXPECT_FALSE(f.get("b", "3000000")) << "too large a part of the cache to be kept";
}

TEST_P(CachedStoreTest, ARangeOfABlockIsServedToo) {
  StoreFixture f(options());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  const std::string body = random_text(1, 150'000);
  ASSERT_TRUE(f.put("b", "k", body));
  auto reader = f.store().get("b", "k", {});
  ASSERT_TRUE(reader);
  Bytes out(70'000);
  EXPECT_EQ(*(*reader)->read_now(60'001, out), false);
  ASSERT_TRUE((*reader)->read(60'001, out));
  ASSERT_EQ(*(*reader)->read_now(60'001, out), true);
  EXPECT_EQ(as_text(out), std::string_view(body).substr(60'001, 70'000));
}

TEST_P(CachedStoreTest, ReadingWithoutHasteAsksTheDevice) {
  StoreFixture f(options());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", random_text(1, 150'000)));
  ASSERT_TRUE(f.get("b", "k"));
  f.device().cut_after(0);
  ASSERT_FALSE(f.device().flush());
  auto reader = f.store().get("b", "k", {});
  ASSERT_TRUE(reader);
  Bytes out(150'000);
  EXPECT_FALSE((*reader)->read(0, out)) << "a verification must see what the device has";
}

}  // namespace
}  // namespace holdfast::test
