// Copies of kopia repositories: each restore point at a site can be read as it was when it was copied, whatever kopia, the link, the site or another
// appliance does meanwhile; what none needs goes, and nothing else.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "daemon/replicator/live_repository.h"
#include "daemon/replicator/repository_list.h"
#include "daemon/replicator/repository_sweep.h"
#include "daemon/replicator/unit_check.h"
#include "daemon/replicator/unit_copier.h"
#include "daemon/replicator/unit_fetcher.h"
#include "daemon/replicator/unit_layout.h"
#include "k8s/bucket/gzip_writer.h"
#include "k8s/point_repositories.h"
#include "tests/support/repository_fixture.h"
#include "tests/support/small_kopia.h"
#include "tests/support/store_fixture.h"
#include "tests/support/turns.h"

namespace holdfast::test {
namespace {

TEST_F(RepositoryCopyTest, EverythingButSessionsAndLogs) {
  back_up("a");
  back_up("b");
  const auto copied = copy("b");
  ASSERT_TRUE(copied) << copied.error().message();
  std::set<std::string> wanted = kopia_->names();
  std::erase_if(wanted, [](const std::string& n) { return n.starts_with("s") || n.starts_with("_"); });
  EXPECT_EQ(wanted, names_under(kPrefix + kShop));
  EXPECT_TRUE(live_has("b"));
  expect_restorable("b");
  EXPECT_TRUE(site_->keys("holdfast/repositories/prod/begun/").empty());
  EXPECT_EQ(1U, site_->keys("holdfast/repositories/prod/lists/").size());
  const auto contents = read_marker(*site_, points_["b"].unit);
  ASSERT_TRUE(contents);
  ASSERT_EQ(1U, contents->repositories.size());
  EXPECT_EQ("kopia/shop", contents->repositories[0].name);
  EXPECT_EQ(wanted.size(), contents->repositories[0].blobs);
}

TEST_F(RepositoryCopyTest, WhatIsThereIsNotSentAgain) {
  for (int i = 0; i < 12; ++i) kopia_->write(2);
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  std::vector<std::string> packs;
  site_->mishap = [&](const std::string& call) {
    if (call.starts_with("put " + kPrefix + kShop) && !call.starts_with("put " + kPrefix + kShop + "kopia.")) packs.push_back(call);
    return Mishap::kNone;
  };
  ASSERT_TRUE(copy("b", 1));
  EXPECT_EQ(1U, packs.size());
}

TEST_F(RepositoryCopyTest, ASiteWhoseETagsMeanNothingGetsEachBlobOnce) {
  for (int i = 0; i < 12; ++i) kopia_->write(2);
  back_up("a");
  ASSERT_TRUE(copy("a"));
  site_->make_etags_opaque();
  std::atomic<int> packs{0};
  site_->mishap = [&](const std::string& call) {
    if (call.starts_with("put " + kPrefix + kShop + "p") || call.starts_with("put " + kPrefix + kShop + "q")) ++packs;
    return Mishap::kNone;
  };
  back_up("b");
  ASSERT_TRUE(copy("b"));
  EXPECT_EQ(1, packs.load());
  EXPECT_TRUE(live_has("b"));
}

TEST_F(RepositoryCopyTest, ABlobThatGoesMeanwhileStartsTheListAnew) {
  back_up("a");
  back_up("b");
  delete_backup("a");
  int left = 1;
  site_->mishap = [&](const std::string& call) {
    if (call.starts_with("put " + kPrefix + kShop) && left-- > 0) {
      kopia_->rewrite();
      kopia_->compact();
      kopia_->remove_packs();
    }
    return Mishap::kNone;
  };
  const auto copied = copy("b", 1);
  ASSERT_TRUE(copied) << copied.error().message();
  EXPECT_TRUE(live_has("b"));
  expect_restorable("b");
  const auto contents = read_marker(*site_, points_["b"].unit);
  ASSERT_TRUE(contents);
  const auto list = read_list(*site_, points_["b"].unit, contents->repositories.at(0));
  ASSERT_TRUE(list);
  const auto here = kopia_->names();
  for (const UnitObject& o : list->packs) EXPECT_TRUE(here.contains(o.key.substr(kShop.size()))) << o.key;
  for (const UnitObject& o : list->indexes) EXPECT_TRUE(here.contains(o.key.substr(kShop.size()))) << o.key;
}

TEST_F(RepositoryCopyTest, OneThatNeverStandsStillIsNotCopied) {
  back_up("a");
  site_->mishap = [&](const std::string& call) {
    if (call.starts_with("put holdfast/repositories/prod/begun/")) kopia_->compact();
    return Mishap::kNone;
  };
  const auto copied = copy("a", 1);
  ASSERT_FALSE(copied);
  EXPECT_EQ("repository kopia/shop changed 10 times while it was copied", copied.error().message());
  EXPECT_FALSE(is_marked("a"));
  EXPECT_FALSE(site_->objects().contains(kPrefix + "backups/a/velero-backup.json"));
}

TEST_F(RepositoryCopyTest, EachRestorePointHasItsOwnIndexes) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  delete_backup("a");
  ASSERT_TRUE(copy("b"));  // its indexes say that what is in a is no more
  EXPECT_TRUE(live_has("b"));
  EXPECT_FALSE(live_has("a"));
  expect_restorable("a");
  expect_restorable("b");
  kopia_->compact();
  kopia_->remove_packs();
  back_up("c");
  ASSERT_TRUE(copy("c"));
  EXPECT_FALSE(live_has("a"));
  for (const char* name : {"a", "b", "c"}) expect_restorable(name);
  // What lies there for kopia to open is c's alone.
  std::set<std::string> indexes = kopia_->names();
  std::erase_if(indexes, [](const std::string& n) { return !n.starts_with("x"); });
  std::set<std::string> live = names_under(kPrefix + kShop);
  std::erase_if(live, [](const std::string& n) { return !n.starts_with("x"); });
  EXPECT_EQ(indexes, live);
}

TEST_F(RepositoryCopyTest, AnOlderOneThatIsCopiedLaterIsNotLive) {
  back_up("a");
  back_up("b");
  ASSERT_TRUE(copy("b"));
  const auto before = live_list(*site_, RepositoryPlace("prod", "kopia/shop"));
  kopia_->write(1);
  ASSERT_TRUE(copy("a"));
  EXPECT_EQ(before.value(), live_list(*site_, RepositoryPlace("prod", "kopia/shop")).value());
  EXPECT_TRUE(live_has("b"));
  expect_restorable("a");
}

TEST_F(RepositoryCopyTest, WhatNothingNeedsGoesAfterTwoDays) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  delete_backup("a");
  kopia_->compact();
  kopia_->remove_packs();
  ASSERT_TRUE(copy("b"));
  site_->set(kPrefix + kShop + "pforeign", "of somebody else");
  const auto all = names_under(kPrefix + kShop);
  ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
  site_->clock_ms += 47 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_EQ(all, names_under(kPrefix + kShop));
  site_->clock_ms += 2 * kHourMs;
  ASSERT_TRUE(sweep());
  std::set<std::string> left = kopia_->names();
  std::erase_if(left, [](const std::string& n) { return n.starts_with("s") || n.starts_with("_"); });
  left.insert("pforeign");
  EXPECT_EQ(left, names_under(kPrefix + kShop));
  EXPECT_TRUE(site_->keys("holdfast/repositories/prod/removed/").empty());
  expect_restorable("b");
  ASSERT_TRUE(remove_unit(*site_, points_["b"].unit));
  ASSERT_TRUE(sweep());
  EXPECT_EQ((std::set<std::string>{"pforeign"}), names_under(kPrefix + kShop));
  EXPECT_EQ((std::vector<std::string>{kPrefix + kShop + "pforeign"}), site_->keys(""));
}

TEST_F(RepositoryCopyTest, WhenTheNewestGoesTheNextOneIsLive) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  delete_backup("a");
  kopia_->compact();
  ASSERT_TRUE(copy("b"));
  EXPECT_FALSE(live_has("a"));
  ASSERT_TRUE(remove_unit(*site_, points_["b"].unit));
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(live_has("a"));
  site_->clock_ms += 49 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(live_has("a"));
  EXPECT_FALSE(live_has("b"));
  expect_restorable("a");
}

TEST_F(RepositoryCopyTest, OneThatIsLiveInPartGivesWayToTheNewestThatIsWhole) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  delete_backup("a");
  site_->mishap = [&](const std::string& call) { return call == "put " + kPrefix + kShop + "kopia.blobcfg" ? Mishap::kRefused : Mishap::kNone; };
  ASSERT_FALSE(copy("b"));
  site_->mishap = {};
  EXPECT_FALSE(live_has("a"));
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(live_has("a"));
  ASSERT_TRUE(copy("b"));
  EXPECT_TRUE(live_has("b"));
}

TEST_F(RepositoryCopyTest, ACopyThatNeverEndedIsForgottenAfterAMonth) {
  back_up("a");
  site_->mishap = [&](const std::string& call) { return call.starts_with("put holdfast/repositories/prod/lists/") ? Mishap::kRefused : Mishap::kNone; };
  ASSERT_FALSE(copy("a"));
  site_->mishap = {};
  site_->clock_ms += 29 * 24 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_FALSE(names_under(kPrefix + kShop).empty());
  site_->clock_ms += 2 * 24 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_TRUE(names_under(kPrefix + kShop).empty());
  EXPECT_TRUE(site_->keys("holdfast/repositories/").empty());
}

TEST_F(RepositoryCopyTest, ARepositoryOfSomebodyElseIsNotTouched) {
  back_up("a");
  site_->set(kPrefix + kShop + "kopia.repository", "theirs");
  const auto copied = copy("a");
  ASSERT_FALSE(copied);
  EXPECT_EQ(Code::kAlreadyExists, copied.error().code());
  EXPECT_NE(std::string::npos, copied.error().message().find("is a repository that was not copied there")) << copied.error().message();
  EXPECT_EQ("theirs", site_->objects()[kPrefix + kShop + "kopia.repository"]);
  EXPECT_FALSE(is_marked("a"));
}

TEST_F(RepositoryCopyTest, TwoAppliancesDoNotShareOne) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  points_["b"].unit.source = "holdfast-2";
  const auto copied = copy("b");
  ASSERT_FALSE(copied);
  EXPECT_EQ("appliance holdfast-1 has copied repository kopia/shop of a cluster \"prod\" there", copied.error().message());
  EXPECT_TRUE(live_has("a"));
  // When nothing is left of the first one's.
  ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
  site_->clock_ms += 31 * 24 * kHourMs;  // what was begun of b is given up by then
  ASSERT_TRUE(sweep());
  ASSERT_TRUE(copy("b"));
  EXPECT_TRUE(live_has("b"));
}

TEST_F(RepositoryCopyTest, WhatCannotBeReadKeepsEverythingThere) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  ASSERT_TRUE(copy("b"));
  ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
  const std::string list = site_->keys("holdfast/repositories/prod/lists/").at(0);
  site_->set(list, "nonsense");
  const auto before = names_under(kPrefix + kShop);
  site_->clock_ms += 50 * kHourMs;
  const auto swept = sweep();
  ASSERT_FALSE(swept);
  EXPECT_NE(std::string::npos, swept.error().message().find(list)) << swept.error().message();
  EXPECT_EQ(before, names_under(kPrefix + kShop));
}

TEST_F(RepositoryCopyTest, ARepositoryThatIsNotHereIsSaid) {
  back_up("a");
  ASSERT_TRUE(fixture_->remove("holdfast", kPrefix + kShop + "kopia.repository"));
  const auto copied = copy("a");
  ASSERT_FALSE(copied);
  EXPECT_EQ("the data of its volumes is in kopia/shop, and there is no such repository in holdfast/clusters/prod/", copied.error().message());
  EXPECT_FALSE(is_marked("a"));
}

TEST_F(RepositoryCopyTest, ACheckReadsTheRepositoriesToo) {
  back_up("a");
  back_up("b");
  ASSERT_TRUE(copy("b"));
  CopyProgress progress;
  auto wrong = check_unit(*site_, points_["b"].unit, true, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_TRUE(wrong->empty()) << wrong->front();
  EXPECT_EQ(progress.bytes.load(), progress.bytes_done.load());
  EXPECT_EQ(progress.objects.load(), progress.objects_done.load());
  std::string pack;
  for (const std::string& name : names_under(kPrefix + kShop)) {
    if (name.starts_with("p") || name.starts_with("q")) pack = name;
  }
  std::string body = site_->objects()[kPrefix + kShop + pack];
  body[3] = static_cast<char>(body[3] ^ 1);
  site_->set(kPrefix + kShop + pack, body);
  const std::string index = site_->keys("holdfast/repositories/prod/indexes/").at(0);
  ASSERT_TRUE(site_->remove(index));
  wrong = check_unit(*site_, points_["b"].unit, true, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_EQ((std::vector<std::string>{kShop + pack + " has other bytes than were copied", index.substr(index.find(kShop)) + " is missing"}), *wrong);
  // A quicker look finds what is missing or of another size.
  wrong = check_unit(*site_, points_["b"].unit, false, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_EQ((std::vector<std::string>{index.substr(index.find(kShop)) + " is missing"}), *wrong);
  const std::string list = site_->keys("holdfast/repositories/prod/lists/").at(0);
  site_->set(list, site_->objects()[list] + "x");
  wrong = check_unit(*site_, points_["b"].unit, true, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_EQ((std::vector<std::string>{"the list of repository kopia/shop at the site: it has other bytes than were written"}), *wrong);
  // A copy mends it.
  ASSERT_TRUE(copy("b"));
  wrong = check_unit(*site_, points_["b"].unit, true, progress, {});
  ASSERT_TRUE(wrong);
  EXPECT_TRUE(wrong->empty()) << wrong->front();
}

class RepositoryFetchTest : public RepositoryCopyTest {
 protected:
  Result<void> fetch(const std::string& name, bool volumes = true) {
    CopyProgress progress;
    const CopySource into = source();
    return fetch_unit(*site_, points_[name].unit, volumes, into, {4, 64 << 20}, progress, {});
  }
  void lose_everything() {
    fixture_ = std::make_unique<StoreFixture>(StoreOptions{.seed = 2});
    ASSERT_TRUE(fixture_->open());
    fixture_->make_bucket("holdfast");
  }
  RepositoryFiles here() {
    RepositoryFiles files;
    ListQuery query;
    query.prefix = kPrefix;
    const auto page = fixture_->store().list("holdfast", query);
    EXPECT_TRUE(page && !page->truncated);
    for (const ObjectInfo& o : page->entries) files[o.key] = fixture_->get("holdfast", o.key).value();
    return files;
  }
};

TEST_F(RepositoryFetchTest, ItComesBackWhereThereIsNone) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  delete_backup("a");
  back_up("b");
  ASSERT_TRUE(copy("b"));
  ASSERT_NO_FATAL_FAILURE(lose_everything());
  const auto fetched = fetch("a");
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_TRUE(has(read_contents(here(), kPrefix + kShop), points_["a"].contents));
  // What is here now has gone its own way.
  const auto second = fetch("b");
  ASSERT_FALSE(second);
  EXPECT_EQ(Code::kAlreadyExists, second.error().code());
  EXPECT_NE(std::string::npos, second.error().message().find("lay it out at the site, or fetch it without the volumes")) << second.error().message();
  ASSERT_TRUE(fetch("b", false));
  EXPECT_TRUE(here().contains(kPrefix + "backups/b/velero-backup.json"));
  EXPECT_TRUE(has(read_contents(here(), kPrefix + kShop), points_["a"].contents));
}

TEST_F(RepositoryFetchTest, CutOffAnywhereItGoesOn) {
  back_up("a");
  back_up("b");
  ASSERT_TRUE(copy("b"));
  ASSERT_NO_FATAL_FAILURE(lose_everything());
  for (int cut = 0;; ++cut) {
    std::atomic<int> calls{0};
    site_->mishap = [&](const std::string&) { return calls++ >= cut ? Mishap::kRefused : Mishap::kNone; };
    const auto fetched = fetch("b");
    if (fetched) break;
    EXPECT_EQ(Code::kUnavailable, fetched.error().code()) << fetched.error().message();
    EXPECT_FALSE(here().contains(kPrefix + "backups/b/velero-backup.json"));
    ASSERT_LT(cut, 200);
  }
  EXPECT_TRUE(has(read_contents(here(), kPrefix + kShop), points_["b"].contents));
}

TEST_F(RepositoryFetchTest, IndexesOfSomethingElseAreInTheWay) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  ASSERT_NO_FATAL_FAILURE(lose_everything());
  put(kShop + "xn0_other", "c1 99 -");
  const auto fetched = fetch("a");
  ASSERT_FALSE(fetched);
  EXPECT_NE(std::string::npos, fetched.error().message().find("something left of another repository here: holdfast/clusters/prod/kopia/shop/xn0_other")) << fetched.error().message();
}

TEST_F(RepositoryCopyTest, ALayoutThatWasCutOffGoesOn) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  for (int cut = 0;; ++cut) {
    std::atomic<int> calls{0};
    site_->mishap = [&](const std::string&) { return calls++ >= cut ? Mishap::kRefused : Mishap::kNone; };
    CopyProgress progress;
    const auto done = lay_out_unit(*site_, points_["a"].unit, {4, 1 << 20}, progress, {});
    site_->mishap = {};
    const auto layouts = list_layouts(*site_);
    ASSERT_TRUE(layouts);
    if (done) {
      ASSERT_EQ(1U, layouts->size());
      EXPECT_TRUE(layouts->front().whole);
      EXPECT_EQ("laid-out/prod/a/", layouts->front().prefix);
      break;
    }
    for (const SiteLayout& l : *layouts) EXPECT_FALSE(l.whole);
    ASSERT_LT(cut, 200);
  }
  EXPECT_TRUE(has(read(layout_prefix("prod", "a")), points_["a"].contents));
  // One of another backup of that name takes its place.
  points_["a"].unit.started_ms += 60'000;
  site_->set("laid-out/prod/a/kopia/shop/xold", "c1 99 -");
  ASSERT_TRUE(copy("a"));
  expect_restorable("a");
}

// Cut off at each request in turn.
TEST_F(RepositoryCopyTest, CutOffAnywhereNothingIsHalfVisibleAndItGoesOn) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  delete_backup("a");
  for (int cut = 0;; ++cut) {
    SCOPED_TRACE(cut);
    std::atomic<int> calls{0};
    site_->mishap = [&](const std::string&) { return calls++ < cut ? Mishap::kNone : cut % 2 == 0 || calls > cut + 1 ? Mishap::kRefused : Mishap::kAnswerLost; };
    const auto copied = copy("b");
    site_->mishap = {};
    expect_restorable("a");
    if (is_marked("b")) expect_restorable("b");
    if (site_->objects().contains(kPrefix + "backups/b/velero-backup.json")) {
      EXPECT_TRUE(live_has("b"));
    }
    if (copied) break;
    ASSERT_LT(cut, 300);
    ASSERT_FALSE(HasFailure());
  }
  expect_restorable("b");
}

// Everything that happens to a site, in random order.
class RepositoryHistory : public RepositoryCopyTest {
 protected:
  void run(uint64_t seed) {
    ASSERT_NO_FATAL_FAILURE(begin(seed));
    random_.seed(seed);
    begun_ = 0;
    for (int step = 0; step < 60 && !HasFailure(); ++step) {
      act();
      for (const auto& [name, point] : points_) {
        if (is_marked(name)) expect_restorable(name);
      }
    }
    // In the end everything is removed, and everything goes.
    for (const auto& [name, point] : points_) {
      if (!is_marked(name)) continue;
      ASSERT_TRUE(remove_unit(*site_, point.unit));
    }
    for (int i = 0; i < 2; ++i) {
      site_->clock_ms += 40LL * 24 * kHourMs;
      ASSERT_TRUE(sweep());
    }
    for (const std::string& key : site_->keys("")) {
      const bool half_copied = key.starts_with(kPrefix + "backups/") || key.starts_with("holdfast/removing/");
      EXPECT_TRUE(half_copied) << key << " is left";
    }
  }

 private:
  std::string any_point() {
    auto at = points_.begin();
    std::advance(at, static_cast<long>(random_() % points_.size()));
    return at->first;
  }

  void act() {
    const unsigned what = random_() % 10;
    if (what <= 2 || points_.empty()) return back_up("p" + std::to_string(points_.size()));
    const std::string name = any_point();
    if (what <= 5) return copy_with_mishaps(name);
    if (what == 6) return delete_here(name);
    if (what == 7) return kopia_->maintain();
    if (what == 8 && is_marked(name)) {
      (void)with_mishaps([&] { return remove_unit(*site_, points_[name].unit); });
      site_->clock_ms += kHourMs;
      return;
    }
    site_->clock_ms += static_cast<int64_t>(random_() % 60) * kHourMs;
    (void)with_mishaps([&] { return sweep(); });
    site_->clock_ms += kHourMs;
  }

  void delete_here(const std::string& name) {
    if (!gone_.insert(name).second) return;
    delete_backup(name);
  }

  void copy_with_mishaps(const std::string& name) {
    if (gone_.contains(name)) return;
    const auto copied = with_mishaps([&] { return copy(name, 1); });
    if (copied) {
      EXPECT_TRUE(is_marked(name));
      const auto live = live_list(*site_, RepositoryPlace("prod", "kopia/shop"));
      if (live && point_of_list(*live) && point_of_list(*live)->backup == name) {
        EXPECT_TRUE(live_has(name));
      }
    }
  }

  // kopia works on, and calls go wrong, in half of the cases.
  Result<void> with_mishaps(const std::function<Result<void>()>& work) {
    const unsigned bad = random_() % 2, busy = random_() % 2;
    site_->mishap = [&, bad, busy](const std::string&) {
      if (busy != 0 && random_() % 30 == 0) kopia_->maintain();
      if (bad != 0 && random_() % 40 == 0) return random_() % 2 == 0 ? Mishap::kRefused : Mishap::kAnswerLost;
      return Mishap::kNone;
    };
    const auto done = work();
    site_->mishap = {};
    return done;
  }

  std::mt19937_64 random_;
  std::set<std::string> gone_;
};

TEST_F(RepositoryHistory, KeepsEveryRestorePointReadable) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RepositoryHistory::run(seed);
    if (HasFailure()) return;
  }
}

// One appliance has taken over, and removes what nothing needs; the other copies still.
TEST_F(RepositoryCopyTest, ASweepRacingACopyTakesNothingThatIsPromised) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(begin(seed));
    back_up("a");
    ASSERT_TRUE(copy("a"));
    back_up("b");
    ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
    site_->clock_ms += 50 * kHourMs;  // what a needed may go, and b needs it
    Turns turns(seed);
    std::atomic<std::thread::id> sweeper{};
    site_->mishap = [&](const std::string&) {
      turns.enter(std::this_thread::get_id() == sweeper.load() ? 1 : 0);
      return Mishap::kNone;
    };
    {
      std::jthread sweeping([&] {
        sweeper = std::this_thread::get_id();
        (void)sweep();
        turns.end(1);
      });
      (void)copy("b", 1);
      turns.end(0);
    }
    site_->mishap = nullptr;
    if (is_marked("b")) expect_restorable("b");
    site_->clock_ms += kHourMs;
    const auto again = copy("b");
    ASSERT_TRUE(again) << again.error().message();
    expect_restorable("b");
    EXPECT_TRUE(live_has("b"));
    if (HasFailure()) return;
  }
}

// The same, with either going on for as long as it takes while the other stands still, at each of its requests.
TEST_F(RepositoryCopyTest, ACopyInTheMiddleOfASweepAndASweepInTheMiddleOfACopy) {
  for (const bool sweep_is_outer : {true, false}) {
    for (int at = 0, calls = 1; at < calls; ++at) {
      SCOPED_TRACE((sweep_is_outer ? "sweep, call " : "copy, call ") + std::to_string(at));
      ASSERT_NO_FATAL_FAILURE(begin(3));
      back_up("a");
      ASSERT_TRUE(copy("a"));
      back_up("b");
      ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
      site_->clock_ms += 50 * kHourMs;
      int call = 0;
      bool inside = false;
      site_->mishap = [&](const std::string&) {
        if (inside) return Mishap::kNone;
        if (call++ == at) {
          inside = true;
          (void)(sweep_is_outer ? copy("b", 1) : sweep());
          inside = false;
        }
        return Mishap::kNone;
      };
      (void)(sweep_is_outer ? sweep() : copy("b", 1));
      calls = std::max(calls, call);
      site_->mishap = nullptr;
      if (is_marked("b")) expect_restorable("b");
      site_->clock_ms += kHourMs;
      ASSERT_TRUE(copy("b"));
      expect_restorable("b");
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_F(RepositoryCopyTest, WhatACopyThatWasCutOffHasSentStays) {
  back_up("a");
  ASSERT_TRUE(copy("a"));
  back_up("b");
  site_->mishap = [&](const std::string& call) { return call.starts_with("put holdfast/repositories/prod/lists/") ? Mishap::kRefused : Mishap::kNone; };
  ASSERT_FALSE(copy("b"));
  site_->mishap = {};
  const auto before = names_under("holdfast/repositories/prod/indexes/");
  ASSERT_TRUE(remove_unit(*site_, points_["a"].unit));
  site_->clock_ms += 50 * kHourMs;
  ASSERT_TRUE(sweep());
  EXPECT_EQ(before, names_under("holdfast/repositories/prod/indexes/"));
  std::atomic<int> sent{0};
  site_->mishap = [&](const std::string& call) {
    if (call.starts_with("put " + kPrefix + kShop + "p") || call.starts_with("put " + kPrefix + kShop + "q")) ++sent;
    return Mishap::kNone;
  };
  ASSERT_TRUE(copy("b"));
  EXPECT_EQ(0, sent.load());
}

TEST(RepositoryLists, AreReadAsTheyWereWrittenOrRefused) {
  RepositoryList list{"kopia/shop", {{"kopia/shop/p1", 30, "abc-2", {}, {10, 20}}}, {{"kopia/shop/xn0_1", 5, "def", {}, {}}}, {{"kopia/shop/kopia.repository", std::string("\0\n", 2)}}};
  const auto body = list_body(list);
  ASSERT_TRUE(body);
  const auto again = parse_list(*body);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*body, list_body(*again).value());
  EXPECT_EQ(37U, again->size_bytes());
  EXPECT_EQ((std::vector<uint64_t>{10, 20}), again->packs[0].part_bytes);
  EXPECT_EQ(std::string("\0\n", 2), again->own.at("kopia/shop/kopia.repository"));
  for (size_t n = 0; n < body->size(); ++n) EXPECT_FALSE(parse_list(body->substr(0, n))) << n;
  const std::string head = "holdfast-repository 1 kopia/shop\n";
  EXPECT_TRUE(parse_list(head + "end 0\n"));
  for (const char* bad : {"pack 1 e - ../p1\nend 1\n", "pack 1 e - xn0\nend 1\n", "index 1 e - p1\nend 1\n", "pack -1 e - p1\nend 1\n", "pack 3 e 1,1 p1\nend 1\n", "pack 3 e 1,3 p1\nend 1\n",
                          "own p1 aaaa\nend 1\n", "own kopia.x a\nend 1\n", "pack 1 e - p1\nend 2\n", "end 0\nend 0\n", "pack 1 e - kopia.repository\nend 1\n", "pack 1 e - s1\nend 1\n"}) {
    EXPECT_FALSE(parse_list(head + bad)) << bad;
  }
  for (const char* bad : {"holdfast-repository 1 restic/shop\nend 0\n", "holdfast-repository 2 kopia/shop\nend 0\n", "holdfast-repository 1 kopia/../x\nend 0\n"}) EXPECT_FALSE(parse_list(bad)) << bad;
  list.packs[0].key = "kopia/shop/p 1";
  EXPECT_FALSE(list_body(list));
}

TEST(PointRepositories, AreThoseOfItsVolumes) {
  StoreFixture fixture;
  ASSERT_TRUE(fixture.open());
  fixture.make_bucket("b");
  const auto of = [&](const std::string& infos) {
    EXPECT_TRUE(fixture.put("b", "backups/x/x-volumeinfo.json.gz", k8s::gzip(infos)));
    return k8s::repositories_of({&fixture.store(), "b", ""}, "x");
  };
  EXPECT_EQ((std::vector<std::string>{}), of("[]").value());
  EXPECT_EQ((std::vector<std::string>{"kopia/a", "kopia/b"}), of(R"([
    {"backupMethod":"PodVolumeBackup","result":"succeeded","pvbInfo":{"uploaderType":"kopia","podNamespace":"b","podName":"p"}},
    {"backupMethod":"PodVolumeBackup","result":"failed","pvbInfo":{"uploaderType":"kopia","podNamespace":"c","podName":"p"}},
    {"backupMethod":"CSISnapshot","snapshotDataMoved":true,"pvcNamespace":"a","pvcName":"d","snapshotDataMovementInfo":{"dataMover":"velero","uploaderType":"kopia"}},
    {"backupMethod":"CSISnapshot","snapshotDataMoved":true,"pvcNamespace":"e","pvcName":"d","snapshotDataMovementInfo":{"dataMover":"other","uploaderType":"own"}},
    {"backupMethod":"CSISnapshot","snapshotDataMoved":false,"pvcNamespace":"f","pvcName":"d"},
    {"skipped":true,"pvcNamespace":"g","pvcName":"d"}])").value());
  const auto restic = of(R"([{"backupMethod":"PodVolumeBackup","result":"succeeded","pvbInfo":{"uploaderType":"restic","podNamespace":"b","podName":"p","volumeName":"v"}}])");
  ASSERT_FALSE(restic);
  EXPECT_EQ("volume v of pod b/p: its data was saved with \"restic\", not with kopia", restic.error().message());
  EXPECT_TRUE(fixture.put("b", "backups/x/x-volumeinfo.json.gz", "not gzip"));
  EXPECT_EQ(Code::kCorrupt, k8s::repositories_of({&fixture.store(), "b", ""}, "x").error().code());
  EXPECT_TRUE(fixture.put("b", "backups/y/y-podvolumebackups.json.gz", k8s::gzip(R"([{"spec":{"pod":{"namespace":"old","name":"p"},"volume":"v","uploaderType":"kopia"},"status":{"phase":"Completed"}},
    {"spec":{"pod":{"namespace":"bad","name":"p"},"volume":"v","uploaderType":"kopia"},"status":{"phase":"Failed"}}])")));
  EXPECT_EQ((std::vector<std::string>{"kopia/old"}), k8s::repositories_of({&fixture.store(), "b", ""}, "y").value());
}

TEST_F(RepositoryCopyTest, UploadsThatNobodyEndsAreEndedAfterAMonth) {
  const auto old = site_->create_upload({.key = kPrefix + kShop + "p-old"});
  const auto other = site_->create_upload({.key = "clusters/other/kopia/shop/p"});
  ASSERT_TRUE(old && other);
  site_->clock_ms += 29 * 24 * kHourMs;
  const auto young = site_->create_upload({.key = kPrefix + kShop + "p-young"});
  ASSERT_TRUE(young && sweep());
  EXPECT_EQ(2U, site_->uploads(kPrefix)->size());
  site_->clock_ms += 2 * 24 * kHourMs;
  ASSERT_TRUE(sweep());
  const auto left = site_->uploads("clusters/");
  ASSERT_EQ(2U, left->size());
  EXPECT_EQ((std::set<std::string>{*other, *young}), (std::set<std::string>{(*left)[0].id, (*left)[1].id}));
}

}  // namespace
}  // namespace holdfast::test
