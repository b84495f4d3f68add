// Locked copies: nobody removes them before their time, and what somebody hid comes to light again.
#include <gtest/gtest.h>

#include <atomic>

#include "daemon/replicator/repository_list.h"
#include "daemon/replicator/unit_check.h"
#include "daemon/replicator/unit_lock.h"
#include "tests/support/repository_fixture.h"

namespace holdfast::test {
namespace {

class LockedCopyTest : public CopyTest {
 protected:
  void SetUp() override {
    CopyTest::SetUp();
    site_.locks = true;
    site_.clock_ms = unit_.started_ms + 1'000;
    unit_.locked_until_ms = unit_.started_ms + kDay;
  }

  // A marker that says so promises that everything is locked.
  void expect_locked() {
    std::string marker;
    for (const std::string& key : site_.keys("holdfast/units/")) {
      if (unit_of_key(key)->locked_until_ms != 0) marker = key;
    }
    if (marker.empty()) return;
    EXPECT_EQ(marker_key(unit_), marker);
    EXPECT_EQ(unit_.locked_until_ms, site_.locked_until(marker));
    const auto keys = site_.keys(kPrefix);
    EXPECT_EQ(22U, keys.size());
    for (const std::string& key : keys) EXPECT_EQ(unit_.locked_until_ms, site_.locked_until(key)) << key;
  }

  Result<void> unhide() {
    CopyProgress progress;
    return unhide_unit(site_, "prod", "b", progress, {});
  }

  static constexpr int64_t kDay = 86'400'000;
};

TEST_F(LockedCopyTest, StaysUntilItsTimeIsOver) {
  ASSERT_TRUE(copy());
  expect_whole();
  expect_locked();
  ASSERT_EQ(1U, site_.keys("holdfast/units/").size());
  const auto before = site_.objects();
  const auto refused = remove_unit(site_, unit_);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Code::kPermissionDenied, Subject::kLock));
  EXPECT_EQ("the copy of backup \"b\" is locked until 2026-01-03T03:04:05Z", refused.error().message());
  EXPECT_EQ(before, site_.objects());
  site_.clock_ms = unit_.locked_until_ms;
  ASSERT_TRUE(remove_unit(site_, unit_));
  EXPECT_EQ(std::vector<std::string>(), site_.versioned_keys());
}

TEST_F(LockedCopyTest, AMarkerNeverPromisesALockThatIsNotThere) {
  for (const Mishap m : {Mishap::kRefused, Mishap::kAnswerLost}) {
    for (int cut = 0; cut < 200; ++cut) {
      SCOPED_TRACE(cut);
      std::atomic<int> calls = 0;
      site_.mishap = [&](const std::string&) { return calls++ < cut ? Mishap::kNone : m; };
      const auto done = copy();
      site_.mishap = {};
      expect_nothing_half_visible();
      expect_locked();
      ASSERT_TRUE(copy());
      expect_locked();
      ASSERT_EQ(1U, site_.keys("holdfast/units/").size());
      site_.clock_ms = unit_.locked_until_ms;
      ASSERT_TRUE(remove_unit(site_, unit_));
      ASSERT_EQ(std::vector<std::string>(), site_.versioned_keys());
      site_.clock_ms = unit_.started_ms + 1'000;
      if (done) break;
      ASSERT_LT(cut, 199);
    }
  }
}

TEST_F(LockedCopyTest, OneThatIsThereIsLockedWithoutBeingSentAgain) {
  SiteUnit locked = unit_;
  unit_.locked_until_ms = 0;
  ASSERT_TRUE(copy());
  unit_ = locked;
  std::vector<std::string> sent;
  site_.mishap = [&](const std::string& call) {
    if (call.starts_with("put ")) sent.push_back(call);
    return Mishap::kNone;
  };
  ASSERT_TRUE(copy());
  expect_locked();
  EXPECT_EQ(2U, sent.size());  // markers
  EXPECT_EQ(1U, site_.keys("holdfast/units/").size());
}

TEST_F(LockedCopyTest, ASiteThatDoesNotLock) {
  site_.locks = false;
  auto refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ(Code::kFailedPrecondition, refused.error().code());
  EXPECT_TRUE(site_.objects().empty());
  // One that says that it does.
  site_.locks = true;
  site_.mishap = [](const std::string& call) { return call.starts_with("lock ") ? Mishap::kLost : Mishap::kNone; };
  refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string::npos, refused.error().message().find("does not lock what it is asked to lock")) << refused.error().message();
  expect_locked();
}

TEST_F(LockedCopyTest, AnotherBackupOfThatNameDoesNotTakeItsPlace) {
  ASSERT_TRUE(copy());
  unit_.started_ms += 5'000;
  const auto refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ(Code::kAlreadyExists, refused.error().code());
}

TEST_F(LockedCopyTest, WhatIsHiddenComesToLightMarkerLast) {
  ASSERT_TRUE(copy());
  const auto before = site_.objects();
  size_t turn = 0;
  for (const auto& [key, body] : before) {
    // Removed, written over, both in either order.
    switch (turn++ % 5) {
      case 0: site_.hide(key); break;
      case 1: site_.set(key, "ransom"); break;
      case 2: site_.set(key, std::string(body.size(), '!')); site_.hide(key); break;
      case 3: site_.hide(key); site_.set(key, ""); break;
      default: break;
    }
  }
  site_.hide(marker_key(unit_));
  EXPECT_TRUE(list_units(site_, "")->empty());
  const auto hidden = list_hidden_units(site_);
  ASSERT_TRUE(hidden);
  ASSERT_EQ(1U, hidden->size());
  EXPECT_EQ("b", (*hidden)[0].backup);
  std::string last;
  site_.mishap = [&](const std::string& call) {
    if (call.starts_with("remove_version ")) last = call;
    return Mishap::kNone;
  };
  const auto done = unhide();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ("remove_version " + marker_key(unit_), last);
  EXPECT_EQ(before, site_.objects());
  EXPECT_TRUE(list_hidden_units(site_)->empty());
  expect_locked();
  ASSERT_TRUE(unhide());  // again changes nothing
  EXPECT_EQ(before, site_.objects());
}

TEST_F(LockedCopyTest, WhatCannotComeToLightIsNamed) {
  const auto none = unhide();
  ASSERT_FALSE(none);
  EXPECT_EQ(Code::kNotFound, none.error().code());
  ASSERT_TRUE(copy());
  // Somebody has locked other bytes above it.
  site_.set(kDocument, "ransom");
  ASSERT_TRUE(site_.lock(kDocument, unit_.locked_until_ms));
  const auto stuck = unhide();
  ASSERT_FALSE(stuck);
  EXPECT_EQ(Code::kPermissionDenied, stuck.error().code());
  EXPECT_NE(std::string::npos, stuck.error().message().find(kDocument)) << stuck.error().message();
}

TEST_F(LockedCopyTest, ACheckSeesWhatIsNotLocked) {
  SiteUnit locked = unit_;
  unit_.locked_until_ms = 0;
  ASSERT_TRUE(copy());
  CopyProgress progress;
  site_.set(marker_key(locked), site_.objects()[marker_key(unit_)]);
  const auto wrong = check_unit(site_, locked, true, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_EQ(22U, wrong->size());
  EXPECT_NE(wrong->end(), std::find(wrong->begin(), wrong->end(), "backups/b/small-9 is not locked"));
}

TEST(LockEnd, IsCountedFromTheStartAndNeverFromTheFuture) {
  constexpr int64_t kHour = 3'600'000, kNow = 1'767'323'045'000;
  EXPECT_EQ(0, lock_end(0, kNow, kNow));
  EXPECT_EQ(kNow + 9 * kHour, lock_end(10 * kHour, kNow - kHour, kNow));
  EXPECT_EQ(kNow + 10 * kHour, lock_end(10 * kHour, kNow + 50 * kHour, kNow));  // a clock was wrong
  EXPECT_EQ(0, lock_end(10 * kHour, kNow - 9 * kHour, kNow));
  EXPECT_EQ(0, lock_end(10 * kHour, kNow - 11 * kHour, kNow));
  EXPECT_EQ(kNow + kHour / 60, lock_end(kHour / 60, kNow, kNow));
}

class LockedRepositoryTest : public RepositoryCopyTest {
 protected:
  void SetUp() override {
    RepositoryCopyTest::SetUp();
    site_->locks = true;
  }
  void copy_locked(const std::string& name, int64_t hours) {
    back_up(name);
    points_[name].unit.locked_until_ms = points_[name].unit.started_ms + hours * kHourMs;
    const auto copied = copy(name);
    ASSERT_TRUE(copied) << copied.error().message();
  }
  std::vector<std::string> packs() { return site_->keys(kPrefix + kShop + "p"); }
};

TEST_F(LockedRepositoryTest, SharedBlobsAreLockedForTheLastThatNeedsThem) {
  copy_locked("a", 10);
  const auto of_a = packs();
  ASSERT_FALSE(of_a.empty());
  const int64_t first = points_["a"].unit.locked_until_ms;
  for (const std::string& key : of_a) EXPECT_EQ(first, site_->locked_until(key)) << key;
  copy_locked("b", 100);
  for (const std::string& key : of_a) EXPECT_EQ(points_["b"].unit.locked_until_ms, site_->locked_until(key)) << key;
  copy_locked("c", 20);
  for (const std::string& key : of_a) EXPECT_EQ(points_["b"].unit.locked_until_ms, site_->locked_until(key)) << key;
  for (const std::string& key : site_->keys("holdfast/repositories/prod/indexes/")) EXPECT_GT(site_->locked_until(key), site_->clock_ms) << key;
  for (const std::string& key : site_->keys("holdfast/repositories/prod/lists/")) EXPECT_GT(site_->locked_until(key), site_->clock_ms) << key;
}

TEST_F(LockedRepositoryTest, WhatIsHiddenOfARepositoryComesToLight) {
  copy_locked("a", 10);
  copy_locked("b", 10);
  for (const std::string& key : site_->keys("")) site_->hide(key);
  CopyProgress progress;
  for (const char* name : {"a", "b"}) {
    const auto done = unhide_unit(*site_, "prod", name, progress, {});
    ASSERT_TRUE(done) << done.error().message();
    expect_restorable(name);
    const auto wrong = check_unit(*site_, points_[name].unit, true, progress, {});
    ASSERT_TRUE(wrong);
    EXPECT_EQ(std::vector<std::string>(), *wrong);
  }
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(live_has("b"));
}

TEST_F(LockedRepositoryTest, WhatIsWrittenAnewEachTimeDoesNotPileUp) {
  for (int i = 0; i < 5; ++i) copy_locked("b" + std::to_string(i), 10);
  const auto count = [&] {
    const auto live = site_->versions("holdfast/repositories/prod/live/"), own = site_->versions(kPrefix + kShop + "kopia.");
    return std::pair(live->size(), own->size());
  };
  const size_t own = site_->keys(kPrefix + kShop + "kopia.").size();
  ASSERT_GT(count().first, 1U);
  ASSERT_GT(count().second, own);
  ASSERT_TRUE(sweep());
  EXPECT_EQ(std::pair(size_t{1}, own), count());
  EXPECT_TRUE(live_has("b4"));
  expect_restorable("b0");
}

TEST_F(LockedRepositoryTest, ASweepLeavesWhatIsLockedAndTakesItLater) {
  copy_locked("a", 1'000);
  SiteUnit gone = points_["a"].unit;
  // The copy was ended, its markers are gone; only its blobs are locked.
  ASSERT_TRUE(retire_lists(*site_, RepositoryPlace("prod", "kopia/shop"), gone).error().is(Code::kPermissionDenied, Subject::kLock));
  site_->clock_ms = gone.locked_until_ms;
  for (const std::string& key : packs()) ASSERT_TRUE(site_->lock(key, gone.locked_until_ms + 100 * kHourMs));
  ASSERT_TRUE(remove_unit(*site_, gone));
  site_->clock_ms += 49 * kHourMs;
  const auto before = packs();
  ASSERT_TRUE(sweep());
  EXPECT_EQ(before, packs());
  site_->clock_ms += 60 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(packs().empty());
  EXPECT_TRUE(site_->keys("holdfast/repositories/prod/indexes/").empty());
}

}  // namespace
}  // namespace holdfast::test
