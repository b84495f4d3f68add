// Copies of restore points: what is there when, whatever fails, lies or is cut off.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "daemon/replicator/copy_plan.h"
#include "daemon/replicator/order_plan.h"
#include "daemon/replicator/site_queue.h"
#include "daemon/replicator/unit_check.h"
#include "daemon/replicator/unit_fetcher.h"
#include "daemon/replicator/unit_objects.h"
#include "storage/remote/bandwidth.h"
#include "tests/support/copy_fixture.h"
#include "tests/support/turns.h"

namespace holdfast::test {
namespace {

TEST_F(CopyTest, EverythingAndNothingElse) {
  ASSERT_TRUE(copy());
  expect_whole();
  EXPECT_EQ(23U, site_.objects().size());
  const auto units = list_units(site_, "");
  ASSERT_TRUE(units);
  ASSERT_EQ(1U, units->size());
  EXPECT_EQ("b", (*units)[0].backup);
  EXPECT_EQ(unit_.started_ms, (*units)[0].started_ms);
}

TEST_F(CopyTest, WhatIsThereIsNotSentAgain) {
  ASSERT_TRUE(copy());
  std::vector<std::string> sent;
  site_.mishap = [&](const std::string& call) {
    if (call.starts_with("put")) sent.push_back(call);
    return Mishap::kNone;
  };
  ASSERT_TRUE(copy());
  EXPECT_EQ((std::vector<std::string>{"put " + marker_key(unit_)}), sent);
}

TEST_F(CopyTest, WhatIsVisibleWithoutItsDataIsHiddenFirst) {
  site_.set(kDocument, "{}");
  site_.mishap = [&](const std::string& call) {
    if (call.starts_with("put ")) {
      EXPECT_EQ(call == "put " + marker_key(unit_), site_.objects().contains(kDocument)) << call;
    }
    return Mishap::kNone;
  };
  ASSERT_TRUE(copy());
  expect_whole();
}

// The appliance or the link dies at each request in turn; nothing comes after it.
TEST_F(CopyTest, CutOffAnywhereNothingIsHalfVisibleAndItGoesOn) {
  for (int cut = 0;; ++cut) {
    SCOPED_TRACE(cut);
    std::atomic<int> calls{0};
    site_.mishap = [&](const std::string&) { return calls++ < cut ? Mishap::kNone : cut % 2 == 0 || calls > cut + 1 ? Mishap::kRefused : Mishap::kAnswerLost; };
    const auto copied = copy();
    site_.mishap = {};
    expect_nothing_half_visible();
    if (copied) break;
    ASSERT_LT(cut, 200);
    if (cut % 5 != 0) continue;  // most go on from what the last one left
    ASSERT_TRUE(copy());
    expect_whole();
    for (const auto& [key, body] : site_.objects()) ASSERT_TRUE(site_.remove(key));
  }
  expect_whole();
}

TEST_F(CopyTest, RandomMishaps) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mutex mutex;
    std::mt19937 engine(seed);
    site_.mishap = [&](const std::string& call) {
      std::lock_guard lock(mutex);
      // What becomes of markers is a test of its own.
      const unsigned kinds = call.ends_with(marker_key(unit_)) ? 3 : 5;
      return engine() % 25 == 0 ? static_cast<Mishap>(engine() % kinds) : Mishap::kNone;
    };
    for (int round = 0; round < 3; ++round) {
      (void)copy();
      const auto there = site_.objects();
      if (there.contains(marker_key(unit_))) expect_whole();
    }
    site_.mishap = {};
    ASSERT_TRUE(copy());
    expect_whole();
    ASSERT_FALSE(HasFailure());
    for (const auto& [key, body] : site_.objects()) ASSERT_TRUE(site_.remove(key));
  }
}

TEST_F(CopyTest, OtherBytesThanWereSentAreNoticed) {
  site_.mishap = [](const std::string& call) { return call == "put " + kPrefix + "backups/b/small-7" ? Mishap::kOtherBytes : Mishap::kNone; };
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_EQ(Code::kCorrupt, copied.error().code());
  EXPECT_NE(std::string::npos, copied.error().message().find("small-7 has other bytes than were sent"));
  EXPECT_FALSE(site_.objects().contains(kDocument));
}

TEST_F(CopyTest, AMarkerThatIsNotWhatWasWrittenGoesAgain) {
  for (const Mishap m : {Mishap::kOtherBytes, Mishap::kLost}) {
    site_.mishap = [&](const std::string& call) { return call == "put " + marker_key(unit_) ? m : Mishap::kNone; };
    EXPECT_FALSE(copy());
    EXPECT_FALSE(site_.objects().contains(marker_key(unit_)));
  }
}

TEST_F(CopyTest, ALostObjectIsSentAgainAndThenComplainedAbout) {
  int lost = 1;
  site_.mishap = [&](const std::string& call) { return call == "put " + kPrefix + "backups/b/small-7" && lost-- > 0 ? Mishap::kLost : Mishap::kNone; };
  ASSERT_TRUE(copy());
  expect_whole();
  for (const auto& [key, body] : site_.objects()) ASSERT_TRUE(site_.remove(key));
  lost = 100;
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_NE(std::string::npos, copied.error().message().find("loses what it accepts: backups/b/small-7"));
  EXPECT_FALSE(site_.objects().contains(kDocument));
}

TEST_F(CopyTest, AnOlderOneOfTheSameSizeIsNotTakenForALostOne) {
  for (const std::string& name : {kPrefix + "backups/b/small-7", kDocument}) {
    site_.set(name, name == kDocument ? "[]" : std::string(7 * 37, 'z'));
    site_.mishap = [&](const std::string& call) { return call == "put " + name || (name == kDocument && call == "remove " + name) ? Mishap::kLost : Mishap::kNone; };
    const auto copied = copy();
    ASSERT_FALSE(copied);
    EXPECT_NE(std::string::npos, copied.error().message().find("loses what it accepts")) << copied.error().message();
    EXPECT_FALSE(site_.objects().contains(marker_key(unit_)));
    site_.mishap = {};
    ASSERT_TRUE(copy());
    expect_whole();
    for (const auto& [key, body] : site_.objects()) ASSERT_TRUE(site_.remove(key));
  }
}

TEST_F(CopyTest, NotWhereAnotherApplianceHasOneOfThatName) {
  SiteUnit other = unit_;
  other.source = "holdfast-2";
  site_.set(marker_key(other), "{}");
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_EQ(Code::kAlreadyExists, copied.error().code());
  EXPECT_EQ(1U, site_.objects().size());
}

TEST_F(CopyTest, NoBackupNoCopy) {
  unit_.backup = "bb";  // has objects, but no velero-backup.json
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_EQ(Code::kNotFound, copied.error().code());
  EXPECT_TRUE(site_.objects().empty());
}

TEST_F(CopyTest, ACheckReadsEveryByte) {
  ASSERT_TRUE(copy());
  CopyProgress progress;
  auto wrong = check_unit(site_, unit_, true, progress, {});
  ASSERT_TRUE(wrong) << wrong.error().message();
  EXPECT_TRUE(wrong->empty()) << wrong->front();
  EXPECT_EQ(progress.bytes, progress.bytes_done);
  EXPECT_GT(progress.bytes_done, 150'000U);
  auto there = site_.objects();
  for (const char* name : {"backups/b/large", "backups/b/small-9"}) {
    std::string body = there[kPrefix + name];
    body[body.size() - 3] = static_cast<char>(body[body.size() - 3] ^ 4);
    site_.set(kPrefix + name, body);
  }
  site_.set(kPrefix + "backups/b/small-8", "short");
  ASSERT_TRUE(site_.remove(kPrefix + "backups/b/small-7"));
  wrong = check_unit(site_, unit_, true, progress, {});
  ASSERT_TRUE(wrong);
  std::sort(wrong->begin(), wrong->end());
  EXPECT_EQ((std::vector<std::string>{"backups/b/large has other bytes than were copied", "backups/b/small-7 is missing", "backups/b/small-8 has 5 bytes instead of 296",
                                      "backups/b/small-9 has other bytes than were copied"}), *wrong);
}

TEST_F(CopyTest, ARemovalTakesWhatTheMarkerNamesMarkerFirst) {
  ASSERT_TRUE(copy());
  site_.set(kPrefix + "backups/b/of-another", "x");
  std::vector<std::string> removed;
  site_.mishap = [&](const std::string& call) {
    if (call.starts_with("remove ")) removed.push_back(call.substr(7));
    return Mishap::kNone;
  };
  ASSERT_TRUE(remove_unit(site_, unit_));
  ASSERT_LT(2U, removed.size());
  EXPECT_EQ(marker_key(unit_), removed[0]);
  EXPECT_EQ(kDocument, removed[1]);
  EXPECT_EQ((std::map<std::string, std::string>{{kPrefix + "backups/b/of-another", "x"}}), site_.objects());
}

TEST_F(CopyTest, ARemovalThatWasCutOffEndsBeforeTheNextCopy) {
  for (int cut = 0; cut < 40; ++cut) {
    SCOPED_TRACE(cut);
    ASSERT_TRUE(copy());
    int calls = 0;
    site_.mishap = [&](const std::string&) { return calls++ < cut ? Mishap::kNone : Mishap::kRefused; };
    const auto removed = remove_unit(site_, unit_);
    site_.mishap = {};
    if (removed) break;
    ASSERT_TRUE(copy());
    expect_whole();
    EXPECT_EQ(23U, site_.objects().size());
  }
}

TEST_F(CopyTest, AMarkerThatLeadsElsewhereHarmsNobody) {
  site_.set("clusters/other/backups/x/velero-backup.json", "theirs");
  site_.set(marker_key(unit_), R"({"version":1,"objects":[{"key":"../other/backups/x/velero-backup.json","size":1},{"key":"backups/c/y","size":1}]})");
  site_.set(kPrefix + "backups/c/y", "theirs");
  ASSERT_TRUE(remove_unit(site_, unit_));
  EXPECT_EQ(2U, site_.objects().size());
}

TEST(Units, AreNamedByTheirMarkers) {
  SiteUnit unit;
  unit.cluster = "prod";
  unit.backup = "a.b-1";
  unit.source = "holdfast-00ff";
  unit.policy = "p";
  unit.tier = "t";
  unit.started_ms = 1'767'323'045'000;
  unit.expires_ms = 1'767'323'046'000;
  EXPECT_EQ("holdfast/units/prod/a.b-1,20260102T030405Z,20260102T030406Z,holdfast-00ff,p,t", marker_key(unit));
  const auto again = unit_of_key(marker_key(unit));
  ASSERT_TRUE(again);
  EXPECT_EQ(marker_key(unit), marker_key(*again));
  for (const char* bad : {"", "holdfast/units/prod", "holdfast/units/prod/a,b,c,d,e,f", "holdfast/units/a/b/c,20260102T030405Z,never,x,,", "holdfast/units/prod/../x,20260102T030405Z,never,x,,",
                          "units/prod/a,20260102T030405Z,never,x,,", "holdfast/units/prod/a,20260102T0\n0405Z,never,x,,"}) {
    EXPECT_FALSE(unit_of_key(bad)) << bad;
  }
}

CopyOrder order(TierCopy::Mode mode, unsigned last, int64_t keep_for_ms = 0) {
  CopyOrder o{"prod", "p", "t", "", {"dr", mode, {}}};
  o.copy.retention.last = last;
  o.copy.retention.keep_for_ms = keep_for_ms;
  return o;
}

std::vector<std::string> names(const std::vector<TierPoint>& points) {
  std::vector<std::string> out;
  for (const TierPoint& p : points) out.push_back(p.name);
  return out;
}

std::vector<SiteUnit> units_of(const std::vector<std::pair<std::string, int64_t>>& given) {
  std::vector<SiteUnit> out;
  for (const auto& [name, started_ms] : given) {
    SiteUnit u;
    u.backup = name;
    u.started_ms = started_ms;
    out.push_back(u);
  }
  return out;
}

TEST(Orders, AllThatIsMissingAndWouldStay) {
  const std::vector<TierPoint> points{{"a", 1, true, true}, {"b", 2, true, true}, {"c", 3, true, true}};
  OrderPlan plan = plan_order(order(TierCopy::Mode::kAll, 2), points, units_of({{"a", 1}}), 10);
  EXPECT_EQ((std::vector<std::string>{"b", "c"}), names(plan.copy));
  EXPECT_TRUE(plan.remove.empty());  // not before the others are there
  plan = plan_order(order(TierCopy::Mode::kAll, 1), points, {}, 10);
  EXPECT_EQ((std::vector<std::string>{"c"}), names(plan.copy));
  EXPECT_EQ((std::set<std::string>{"a", "b"}), plan.unwanted);
  plan = plan_order(order(TierCopy::Mode::kAll, 2), points, units_of({{"a", 1}, {"b", 2}, {"c", 3}}), 10);
  ASSERT_EQ(1U, plan.remove.size());
  EXPECT_EQ("a", plan.remove[0].backup);
}

TEST(Orders, TheLatestAlone) {
  const std::vector<TierPoint> points{{"a", 1, true, true}, {"b", 2, true, true}};
  OrderPlan plan = plan_order(order(TierCopy::Mode::kLatest, 5), points, {}, 10);
  EXPECT_EQ((std::vector<std::string>{"b"}), names(plan.copy));
  plan = plan_order(order(TierCopy::Mode::kLatest, 5), points, units_of({{"b", 2}}), 10);
  EXPECT_TRUE(plan.copy.empty());
  // One there that is newer than all that is here.
  plan = plan_order(order(TierCopy::Mode::kLatest, 5), points, units_of({{"z", 9}}), 10);
  EXPECT_TRUE(plan.copy.empty());
  EXPECT_EQ((std::set<std::string>{"a", "b"}), plan.unwanted);
}

TEST(Orders, OnlyAgeGivesADate) {
  EXPECT_EQ(105, expiry_of(order(TierCopy::Mode::kAll, 0, 100).copy.retention, 5));
  EXPECT_EQ(0, expiry_of(order(TierCopy::Mode::kAll, 1, 100).copy.retention, 5));
  const OrderPlan plan = plan_order(order(TierCopy::Mode::kAll, 0, 100), {{"a", 1, true, true}, {"b", 50, true, true}}, units_of({{"c", 60}}), 110);
  EXPECT_EQ((std::vector<std::string>{"b"}), names(plan.copy));
  EXPECT_EQ(160, plan.next_ms);
}

TEST(Pieces, AsAtTheSourceWhereTheyAreSmall) {
  bool same = false;
  ObjectInfo info;
  info.size_bytes = 3;
  EXPECT_EQ(1U, pieces_of(info, same).size());
  EXPECT_TRUE(same);
  info.size_bytes = kLargestPieceBytes + 1;
  EXPECT_EQ(5U, pieces_of(info, same).size());
  EXPECT_FALSE(same);
  info.parts = {{1, 5 << 20, 0, "a", ""}, {7, kLargestPieceBytes + 1 - (5 << 20), 0, "b", ""}};
  const auto pieces = pieces_of(info, same);
  ASSERT_EQ(2U, pieces.size());
  EXPECT_TRUE(same);
  EXPECT_EQ(2U, pieces[1].number);
  EXPECT_EQ(5U << 20, pieces[1].offset_bytes);
  EXPECT_EQ("b", pieces[1].etag);
}

// A copy that comes back to an appliance that has lost it.
class FetchTest : public CopyTest {
 protected:
  void SetUp() override {
    CopyTest::SetUp();
    for (int i = 0; i < 20; ++i) names_.push_back("backups/b/small-" + std::to_string(i));
    names_.insert(names_.end(), {"backups/b/velero-backup.json", "backups/b/large"});
    for (const std::string& name : names_) before_[name] = here(name);
    ASSERT_TRUE(copy());
    for (const std::string& name : names_) ASSERT_TRUE(fixture_.remove("holdfast", kPrefix + name));
  }

  std::pair<std::string, std::string> here(const std::string& name) {
    const auto reader = fixture_.store().get("holdfast", kPrefix + name, {});
    const auto body = fixture_.get("holdfast", kPrefix + name);
    return reader && body ? std::pair(*body, (*reader)->info().etag) : std::pair<std::string, std::string>();
  }

  Result<void> fetch() {
    CopyProgress progress;
    return fetch_unit(site_, unit_, true, {&fixture_.store(), "holdfast", kPrefix}, {4, 64 << 20}, progress, {});
  }

  std::vector<std::string> names_;
  std::map<std::string, std::pair<std::string, std::string>> before_;  // body and ETag by name
};

TEST_F(FetchTest, EverythingIsAsItWas) {
  const auto fetched = fetch();
  ASSERT_TRUE(fetched) << fetched.error().message();
  for (const std::string& name : names_) EXPECT_EQ(before_[name], here(name)) << name;
  const auto again = fetch();
  ASSERT_FALSE(again);
  EXPECT_EQ(Code::kAlreadyExists, again.error().code());
}

TEST_F(FetchTest, WhatWasDeletedInABucketWithVersionsComesBack) {
  ASSERT_TRUE(fixture_.store().change_bucket("holdfast", [](Bucket& b) -> Result<void> {
    b.versioning = Versioning::kEnabled;
    return {};
  }));
  ASSERT_TRUE(fetch());
  for (const std::string& name : names_) ASSERT_TRUE(fixture_.remove("holdfast", kPrefix + name));
  const auto again = fetch();
  ASSERT_TRUE(again) << again.error().message();
  for (const std::string& name : names_) EXPECT_EQ(before_[name], here(name)) << name;
}

TEST_F(FetchTest, OtherBytesAreFoundAndNothingIsVisible) {
  for (const std::string& name : names_) {
    const std::string good = site_.objects()[kPrefix + name];
    std::string bad = good;
    if (bad.empty()) continue;
    for (const std::string& other : names_) ASSERT_TRUE(fixture_.remove("holdfast", kPrefix + other));
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 4);
    site_.set(kPrefix + name, bad);
    const auto fetched = fetch();
    ASSERT_FALSE(fetched) << name;
    EXPECT_EQ(Code::kCorrupt, fetched.error().code()) << name;
    EXPECT_NE(std::string::npos, fetched.error().message().find(name)) << fetched.error().message();
    EXPECT_EQ("", here("backups/b/velero-backup.json").first) << name;
    site_.set(kPrefix + name, good);
  }
  EXPECT_TRUE(fetch());
}

TEST_F(FetchTest, CutOffAnywhereItGoesOn) {
  for (int cut = 0;; ++cut) {
    std::atomic<int> calls{0};
    site_.mishap = [&](const std::string&) { return calls++ >= cut ? Mishap::kRefused : Mishap::kNone; };
    const auto fetched = fetch();
    if (fetched) break;
    EXPECT_EQ(Code::kUnavailable, fetched.error().code()) << fetched.error().message();
    EXPECT_EQ("", here("backups/b/velero-backup.json").first) << "cut at call " << cut;
    ASSERT_LT(cut, 100);
  }
  for (const std::string& name : names_) EXPECT_EQ(before_[name], here(name)) << name;
}

TEST_F(FetchTest, AMarkerLeadsNowhereElse) {
  UnitObject outside;
  outside.key = "backups/other/velero-backup.json";
  site_.set(marker_key(unit_), marker_body(unit_, {{outside}, {}}));
  const auto fetched = fetch();
  ASSERT_FALSE(fetched);
  EXPECT_EQ(Code::kCorrupt, fetched.error().code());
}

// What a restore reads of a copy.
class UnitStoreTest : public CopyTest {
 protected:
  void SetUp() override {
    CopyTest::SetUp();
    ASSERT_TRUE(copy());
    site_copy_ = std::make_shared<MemoryRemote>();
    for (const auto& [key, body] : site_.objects()) site_copy_->set(key, body);
  }
  std::shared_ptr<ObjectStore> open() {
    auto opened = open_unit(site_copy_, unit_);
    EXPECT_TRUE(opened);
    return opened ? *opened : nullptr;
  }
  static Result<std::string> read(ObjectStore& store, const std::string& name, size_t piece) {
    HF_TRY(const auto reader, store.get("", kPrefix + name, {}));
    std::string body(reader->info().size_bytes, '\0');
    for (size_t at = 0; at < body.size(); at += piece) {
      HF_CHECK(reader->read(at, MutableByteSpan(reinterpret_cast<std::byte*>(body.data()) + at, std::min(piece, body.size() - at))));
    }
    return body;
  }
  std::shared_ptr<MemoryRemote> site_copy_;
};

TEST_F(UnitStoreTest, ItIsAllThereAndNothingElse) {
  const auto store = open();
  ASSERT_TRUE(store);
  for (const char* name : {"backups/b/large", "backups/b/small-0", "backups/b/small-19", "backups/b/velero-backup.json"}) {
    for (const size_t piece : {1'000, 1'000'000}) EXPECT_EQ(fixture_.get("holdfast", kPrefix + name).value(), read(*store, name, piece).value()) << name;
  }
  site_copy_->set(kPrefix + "backups/b/later", "x");
  EXPECT_EQ(Code::kNotFound, store->get("", kPrefix + "backups/b/later", {}).error().code());
  ListQuery query;
  query.prefix = kPrefix + "backups/";
  EXPECT_EQ(22U, store->list("", query)->entries.size());
  query.delimiter = "/";
  EXPECT_EQ((std::vector<std::string>{kPrefix + "backups/b/"}), store->list("", query)->common_prefixes);
  EXPECT_EQ(Code::kFailedPrecondition, store->open_body("", 1).error().code());
  auto reader = store->get("", kPrefix + "backups/b/small-1", {});
  std::byte beyond[38];
  EXPECT_EQ(Code::kInvalidArgument, (*reader)->read(0, beyond).error().code());
}

TEST_F(UnitStoreTest, OtherBytesAreNoticedWithTheLastOfThem) {
  const auto store = open();
  for (const char* name : {"backups/b/large", "backups/b/small-9"}) {
    std::string body = site_copy_->objects()[kPrefix + name];
    body[body.size() - 3] = static_cast<char>(body[body.size() - 3] ^ 4);
    site_copy_->set(kPrefix + name, body);
    const auto got = read(*store, name, 1'000);
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(kPrefix + name + " at the site has other bytes than were copied", got.error().message());
  }
}

TEST_F(UnitStoreTest, AMarkerThatLeadsElsewhereOpensNothing) {
  site_copy_->set(marker_key(unit_), R"({"version":1,"objects":[{"key":"backups/c/y","size":1}]})");
  EXPECT_EQ(Code::kCorrupt, open_unit(site_copy_, unit_).error().code());
  unit_.backup = "none";
  EXPECT_EQ(Code::kNotFound, open_unit(site_copy_, unit_).error().code());
}

// The line of a site, with a store that can be made to fail.
class SiteQueueTest : public CopyTest {
 protected:
  void SetUp() override {
    CopyTest::SetUp();
    auto store = std::make_unique<MemoryRemote>();
    far_ = store.get();
    queue_ = std::make_unique<SiteQueue>("dr", std::move(store), CopyLimits{4, 1 << 20}, [this](const std::string&, RemoteStore&) -> Result<void> {
      if (fenced_) return error(Code::kFailedPrecondition, "another one acts");
      return {};
    }, [this](const CopyStatus& ended) { ++(ended.state == "failed" ? failed_ : copied_); });
  }

  void run(CopyJob::Kind kind) {
    ASSERT_TRUE(queue_->add({kind, {&fixture_.store(), "holdfast", kPrefix}, unit_, true}));
    ASSERT_TRUE(queue_->wait_idle(std::chrono::seconds(60)));
  }
  CopyStatus only() {
    const auto all = queue_->copies();
    EXPECT_EQ(1U, all.size());
    return all.empty() ? CopyStatus() : all.front();
  }

  MemoryRemote* far_ = nullptr;
  std::atomic<bool> fenced_{false};
  std::atomic<int> copied_{0}, failed_{0};
  std::unique_ptr<SiteQueue> queue_;
};

TEST_F(SiteQueueTest, EveryEndIsToldAsWhatItIs) {
  far_->mishap = [](const std::string&) { return Mishap::kRefused; };
  run(CopyJob::Kind::kCopy);
  EXPECT_EQ("failed", only().state);
  EXPECT_NE("", only().reason);
  EXPECT_EQ(0, copied_);
  far_->mishap = nullptr;
  run(CopyJob::Kind::kCopy);
  EXPECT_TRUE(queue_->copies().empty());
  queue_.reset();  // its thread has told by then
  EXPECT_EQ(1, copied_);
  EXPECT_EQ(1, failed_);
}

TEST_F(SiteQueueTest, AnApplianceThatDoesNotActWritesNothing) {
  fenced_ = true;
  run(CopyJob::Kind::kCopy);
  EXPECT_EQ("failed", only().state);
  EXPECT_EQ("another one acts", only().reason);
  EXPECT_EQ(0U, far_->requests());
}

TEST_F(SiteQueueTest, ChecksAndFetchesSayHowTheyEnded) {
  run(CopyJob::Kind::kCopy);
  run(CopyJob::Kind::kCheck);
  EXPECT_EQ("whole", only().state);
  run(CopyJob::Kind::kFetch);
  EXPECT_EQ("failed", only().state) << "it is here";
  for (const auto& [key, body] : far_->objects()) {
    if (key.starts_with(kPrefix)) {
      ASSERT_TRUE(fixture_.remove("holdfast", key));
    }
  }
  fenced_ = true;  // nothing is written there
  run(CopyJob::Kind::kFetch);
  EXPECT_EQ("fetched", only().state);
  EXPECT_EQ(22U, only().objects_done);
}

TEST_F(SiteQueueTest, TheLastHundredAreKnown) {
  for (int i = 0; i < 103; ++i) {
    unit_.backup = "none-" + std::to_string(i);
    run(CopyJob::Kind::kCheck);
  }
  const auto known = queue_->copies();
  ASSERT_EQ(100U, known.size());
  EXPECT_EQ("none-3", known.front().backup);
}

TEST(BandwidthTest, WhatIsReservedGoesOneAfterTheOther) {
  ManualClock clock(0);
  Bandwidth bandwidth(clock, 1'000);
  EXPECT_EQ(0, bandwidth.reserve(500).count());
  EXPECT_EQ(500, bandwidth.reserve(2'000).count());
  EXPECT_EQ(2'500, bandwidth.reserve(1).count());
  clock.advance(10'000);
  EXPECT_EQ(0, bandwidth.reserve(100).count());  // what was not used is not saved up
  EXPECT_EQ(100, bandwidth.reserve(100).count());
  bandwidth.limit(100);
  EXPECT_EQ(200, bandwidth.reserve(100).count());
  EXPECT_EQ(1'200, bandwidth.reserve(0).count() + bandwidth.reserve(100).count());
  bandwidth.limit(0);
  EXPECT_EQ(0, bandwidth.reserve(1 << 30).count());
}

// One appliance has just taken over, and prunes; the other has begun its copy before it could know.
class PruneRacingACopy : public CopyTest, public testing::WithParamInterface<bool> {};

TEST_P(PruneRacingACopy, LeavesNothingHalfVisible) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const bool unchanged = GetParam();
    ASSERT_TRUE(copy());
    if (!unchanged) put("backups/b/small-3", "seed " + std::to_string(seed));
    Turns turns(seed);
    std::atomic<std::thread::id> pruner{};
    site_.modified_ms = site_.clock_ms;
    site_.mishap = [&](const std::string&) {
      turns.enter(std::this_thread::get_id() == pruner.load() ? 1 : 0);
      return Mishap::kNone;
    };
    {
      std::jthread pruning([&] {
        pruner = std::this_thread::get_id();
        (void)remove_unit(site_, unit_);
        turns.end(1);
      });
      CopyProgress progress;
      const CopySource source{&fixture_.store(), "holdfast", kPrefix};
      (void)copy_unit(source, site_, unit_, {1, 1 << 20}, progress, {});
      turns.end(0);
    }
    site_.mishap = nullptr;
    site_.modified_ms = 1;
    expect_nothing_half_visible();
    ASSERT_TRUE(copy());
    expect_whole();
    if (HasFailure()) return;
  }
}

TEST_F(CopyTest, ARemovalThatMayGoOnIsNotTakenOver) {
  ASSERT_TRUE(copy());
  site_.modified_ms = site_.clock_ms;
  int calls = 0;
  site_.mishap = [&](const std::string&) { return ++calls > 6 ? Mishap::kRefused : Mishap::kNone; };
  ASSERT_FALSE(remove_unit(site_, unit_));
  site_.mishap = nullptr;
  const auto refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ("an earlier copy of backup \"b\" is being removed there", refused.error().message());
  site_.clock_ms += 600'000;
  ASSERT_TRUE(copy());
  expect_whole();
  EXPECT_EQ(23U, site_.objects().size());
}

INSTANTIATE_TEST_SUITE_P(Both, PruneRacingACopy, testing::Bool());

}  // namespace
}  // namespace holdfast::test
