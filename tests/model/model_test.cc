// Random operations against the store and a plain map, compared after every step.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "storage/object/compactor.h"
#include "storage/object/index_snapshot.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

// The store as S3 describes it, in its simplest form.
class Model {
 public:
  struct Version {
    VersionSeq seq;
    bool is_null, is_marker;
    std::string body;
  };
  Versioning versioning = Versioning::kOff;
  std::map<std::string, std::vector<Version>> keys;  // oldest first

  void put(const std::string& key, VersionSeq seq, std::string body, bool marker) {
    auto& versions = keys[key];
    if (versioning != Versioning::kEnabled) std::erase_if(versions, [](const Version& v) { return v.is_null; });
    versions.push_back({seq, versioning != Versioning::kEnabled, marker, std::move(body)});
  }
  bool remove(const std::string& key, VersionSeq seq) {
    auto& versions = keys[key];
    const size_t n = std::erase_if(versions, [&](const Version& v) { return v.seq == seq; });
    if (versions.empty()) keys.erase(key);
    return n > 0;
  }
  const Version* latest(const std::string& key) const {
    const auto found = keys.find(key);
    return found == keys.end() || found->second.empty() ? nullptr : &found->second.back();
  }
};

std::string random_key(std::mt19937_64& random) {
  static const char* const kParts[] = {"a", "b", "a/", "//", "b/c", "\xc3\xa4", "%", ".", "../", "\xff"};
  std::string key;
  for (uint64_t n = 1 + random() % 3; n > 0; --n) key += kParts[random() % std::size(kParts)];
  return key;
}

class Session {
 public:
  explicit Session(uint64_t seed) : random_(seed), f_(options(seed)) {}

  void go(int steps) {
    ASSERT_TRUE(f_.open());
    f_.make_bucket("b");
    for (int i = 0; i < steps; ++i) {
      step();
      if (::testing::Test::HasFatalFailure()) return;
      if (i % 8 == 7) compare();
    }
    ASSERT_TRUE(f_.reopen());
    compare();
    f_.close();
    f_.drop_index();
    ASSERT_TRUE(f_.open());
    compare();
  }

 private:
  static StoreOptions options(uint64_t seed) {
    StoreOptions o;
    o.seed = seed;
    o.encrypted = seed % 2 == 0;
    o.segment_bytes = 128 << 10;
    o.segments = 160;
    o.prompt = seed % 3 == 0;
    o.sparse = seed % 5 < 2;
    o.page_cache = seed % 6 != 0;
    o.cache_bytes = seed % 2 == 0 ? 1 << 20 : 0;
    return o;
  }

  void step() {
    const uint64_t kind = random_() % 20;
    const std::string key = random_key(random_);
    if (kind < 9) return put(key);
    if (kind < 12) return remove_latest(key);
    if (kind < 15) return remove_version(key);
    if (kind == 15) return change_versioning();
    if (kind == 16) return compact();
    if (kind == 17) return trim();
    if (kind == 18 && random_() % 4 == 0) return snapshot();
    if (kind == 19 && random_() % 4 == 0) {
      f_.close();
      if (random_() % 2 == 0) f_.drop_index();
      auto opened = f_.open();
      ASSERT_TRUE(opened) << opened.error().to_string();
      ASSERT_EQ(f_.pool().read_only_reason(), "");
    }
  }

  void put(const std::string& key) {
    static constexpr size_t kSizes[] = {0, 5, 2000, 16384, 20'000, 70'000};
    std::string body = random_text(random_(), kSizes[random_() % std::size(kSizes)]);
    auto made = f_.put("b", key, body);
    ASSERT_TRUE(made) << made.error().to_string();
    model_.put(key, made->seq, std::move(body), false);
  }

  void remove_latest(const std::string& key) {
    auto removed = f_.remove("b", key);
    ASSERT_TRUE(removed) << removed.error().to_string();
    if (model_.versioning == Versioning::kOff) {
      const auto* latest = model_.latest(key);
      ASSERT_EQ(removed->removed, latest != nullptr);
      if (latest != nullptr) model_.remove(key, latest->seq);
    } else {
      ASSERT_TRUE(removed->made_marker);
      model_.put(key, removed->seq, "", true);
    }
  }

  void remove_version(const std::string& key) {
    const auto found = model_.keys.find(key);
    if (found == model_.keys.end() || found->second.empty()) return;
    const Model::Version v = found->second[random_() % found->second.size()];
    VersionRef ref;
    if (v.is_null) ref.null_version = true; else ref.seq = v.seq;
    auto removed = f_.remove("b", key, ref);
    ASSERT_TRUE(removed) << removed.error().to_string();
    ASSERT_TRUE(removed->removed);
    model_.remove(key, v.seq);
  }

  void change_versioning() {
    const Versioning to = random_() % 2 == 0 ? Versioning::kEnabled : Versioning::kSuspended;
    ASSERT_TRUE(f_.store().change_bucket("b", [to](Bucket& b) -> Result<void> {
      b.versioning = to;
      return {};
    }));
    model_.versioning = to;
  }

  void compact() {
    Allocator& allocator = *f_.pool().volume().allocator;
    allocator.reclaim();
    while (random_() % 2 == 0 && allocator.discard_one(f_.device(), random_() % 2 == 0)) continue;
    const auto usage = f_.pool().volume().allocator->usage();
    for (uint32_t s = 0; s < usage.size(); ++s) {
      const bool sealed = usage[s].state == SegmentUsage::State::kSealed && usage[s].kind == SegmentKind::kBulk;
      if (!sealed || random_() % 3 != 0) continue;
      Compactor compactor(f_.pool());
      auto done = compactor.compact_bulk(s);
      ASSERT_TRUE(done) << done.error().to_string();
      return;
    }
  }

  void trim() {
    Compactor compactor(f_.pool());
    auto done = compactor.trim_journal();
    ASSERT_TRUE(done) << done.error().to_string();
  }

  void snapshot() {
    auto done = take_snapshot(f_.pool(), f_.index_path() + ".snapshot");
    ASSERT_TRUE(done) << done.error().to_string();
  }

  void compare() {
    ListQuery q;
    q.all_versions = true;
    q.max = 1 + static_cast<uint32_t>(random_() % 7);
    std::vector<ObjectInfo> all;
    for (;;) {
      auto page = f_.store().list("b", q);
      ASSERT_TRUE(page) << page.error().to_string();
      all.insert(all.end(), page->entries.begin(), page->entries.end());
      if (!page->truncated) break;
      q.after_key = page->next_key;
      q.after_seq = page->next_seq;
    }
    size_t at = 0;
    for (const auto& [key, versions] : model_.keys) {
      for (size_t i = versions.size(); i-- > 0; ++at) {
        ASSERT_LT(at, all.size());
        ASSERT_EQ(all[at].key, key);
        ASSERT_EQ(all[at].seq, versions[i].seq);
        ASSERT_EQ(all[at].is_latest, i + 1 == versions.size());
        ASSERT_EQ(all[at].is_null, versions[i].is_null);
        ASSERT_EQ(all[at].is_marker, versions[i].is_marker);
        if (versions[i].is_marker) continue;
        VersionRef ref;
        if (versions[i].is_null) ref.null_version = true; else ref.seq = versions[i].seq;
        auto body = f_.get("b", key, ref);
        ASSERT_TRUE(body) << body.error().to_string();
        ASSERT_TRUE(*body == versions[i].body) << key;
      }
    }
    ASSERT_EQ(at, all.size());
    compare_rolled();
  }

  // Listings with delimiter against a plain computation.
  void compare_rolled() {
    ListQuery q;
    q.delimiter = "/";
    q.prefix = random_() % 2 == 0 ? "" : "a";
    q.max = 1 + static_cast<uint32_t>(random_() % 4);
    std::vector<std::string> found, expected;
    for (;;) {
      auto page = f_.store().list("b", q);
      ASSERT_TRUE(page);
      size_t e = 0, p = 0;
      while (e < page->entries.size() || p < page->common_prefixes.size()) {
        const bool entry = p == page->common_prefixes.size() ||
                           (e < page->entries.size() && page->entries[e].key < page->common_prefixes[p]);
        found.push_back(entry ? page->entries[e++].key : page->common_prefixes[p++]);
      }
      if (!page->truncated) break;
      q.after_key = page->next_key;
    }
    for (const auto& [key, versions] : model_.keys) {
      if (versions.empty() || versions.back().is_marker || !key.starts_with(q.prefix)) continue;
      const std::string rolled = common_prefix_of(key, q.prefix, "/");
      const std::string shown = rolled.empty() ? key : rolled;
      if (expected.empty() || expected.back() != shown) expected.push_back(shown);
    }
    ASSERT_EQ(found, expected);
  }

  std::mt19937_64 random_;
  StoreFixture f_;
  Model model_;
};

TEST(Model, StoreAgreesWithAMap) {
  const char* more = std::getenv("HOLDFAST_SOAK");
  const uint64_t seeds = 60 * (more != nullptr ? std::strtoull(more, nullptr, 10) : 1);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Session session(seed);
    session.go(150);
    if (::testing::Test::HasFatalFailure()) {
      std::cout << "failing seed: " << seed << "\n";
      return;
    }
  }
}

}  // namespace
}  // namespace holdfast::test
