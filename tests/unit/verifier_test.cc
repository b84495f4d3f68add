// When restore points are verified, and what becomes of it.
#include <gtest/gtest.h>

#include <thread>

#include "daemon/scheduler/policy.h"
#include "daemon/verifier/verifier.h"
#include "storage/base/times.h"
#include "tests/support/point_objects.h"

namespace holdfast {
namespace {

constexpr int64_t kHour = 3'600'000, kDay = 24 * kHour;

// Restore points that are as they are said to be.
class Trials final : public PointTrials {
 public:
  Result<k8s::PointCheck> read_point(const std::string&, const std::string& backup, std::stop_token) override {
    calls.push_back("read " + backup);
    return read;
  }
  Result<k8s::TrialOutcome> try_point(const std::string& cluster, const std::string& backup, const VerificationRule& rule, k8s::TrialProgress&, std::stop_token) override {
    calls.push_back("restore " + backup + " into " + (rule.into.empty() ? cluster : rule.into));
    return restored;
  }
  Result<k8s::PointEvidence> evidence(const std::string&, const std::string& backup) override { return kept[backup]; }
  Result<void> put_evidence(const std::string&, const std::string& backup, const k8s::PointEvidence& evidence) override {
    kept[backup] = evidence;
    return {};
  }
  Result<void> clean_up() override {
    ++cleaned;
    return clean;
  }

  Result<k8s::PointCheck> read = k8s::PointCheck{3, 100, 7, 0, {}};
  Result<k8s::TrialOutcome> restored = good_trial();
  Result<void> clean;
  std::vector<std::string> calls;
  std::map<std::string, k8s::PointEvidence> kept;
  int cleaned = 0;

  static k8s::TrialOutcome good_trial() {
    k8s::TrialOutcome o;
    o.tried = true;
    o.restored = o.compared = 5;
    o.ready_ms = 1'500;
    return o;
  }
};

// The backups of one cluster, and the copies of one site.
class World final : public SiteService {
 public:
  Result<void> check_copy(const std::string& site, const std::string&, const std::string& backup, bool) override {
    checked.push_back(site + "/" + backup);
    return begins;
  }
  Result<std::vector<CopyStatus>> transfers(const std::string&) override { return std::vector{copy}; }
  std::vector<OrderStatus> orders() const override { return {{"c", "p", "t", "dr", true, 0, 1, 0, ""}, {"c", "other", "t", "far", true, 0, 1, 0, ""}}; }

  Result<SiteFindings> add_site(const NewSite&) override { return no(); }
  std::vector<SiteStatus> sites() const override { return {}; }
  Result<SiteFindings> check_site(const std::string&) override { return no(); }
  Result<void> limit_site(const std::string&, uint64_t) override { return no(); }
  Result<void> remove_site(const std::string&) override { return no(); }
  Result<void> start_copy(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<void> start_fetch(const std::string&, const std::string&, const std::string&, bool) override { return no(); }
  Result<void> start_layout(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<std::shared_ptr<ObjectStore>> open_copy(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<void> start_clearing(const std::string&, const std::string&, const std::string&) override { return no(); }
  Result<std::vector<SiteUnit>> hidden_copies(const std::string&) override { return no(); }
  Result<void> start_unhiding(const std::string&, const std::string&, const std::string&) override { return no(); }
  std::vector<std::string> alarms() const override { return {}; }
  Result<SiteCopies> copies(const std::string&) override { return no(); }
  Result<void> remove_copy(const std::string&, const std::string&, const std::string&) override { return no(); }

  std::vector<std::string> checked;
  Result<void> begins;
  CopyStatus copy{"c", "", "whole", "", 0, 0, 0, 0, {}};

 private:
  static std::unexpected<Status> no() { return error(Code::kUnimplemented, "not in this test"); }
};

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() { order("level: restore\nwithin: 2d"); }

  // A tier whose verification is due every day at five.
  void order(const std::string& fields) {
    std::string indented;
    for (const char c : "\n" + fields) indented += c == '\n' ? "\n    " : std::string(1, c);
    const auto policy = parse_policy("name: p\ncluster: c\ntiers:\n- name: t\n  schedule: '@daily'\n  retention: forever\n  verification:\n    schedule: '0 5 * * *'" + indented);
    ASSERT_TRUE(policy) << policy.error().message();
    const TierVerification& v = *policy->tiers[0].verification;
    orders_ = {{"c", "p", "t", v.schedule, v.times, v.within_ms, v.rule}};
  }

  VerifierParts parts() {
    VerifierParts parts;
    parts.settings = &settings_;
    parts.trials = &trials_;
    parts.clusters = &clusters_;
    parts.sites = &world_;
    parts.clock = &clock_;
    parts.orders = [this] { return orders_; };
    parts.is_active = [this] { return active_; };
    parts.on_news = [this](const std::string& policy) { news_.push_back(policy); };
    parts.tell = [this](Event e) { told_.push_back(e.text); };
    return parts;
  }

  // One day later, as the thread does it.
  VerificationStatus next_day(Verifier& verifier) {
    clock_.advance(kDay);
    verifier.pass({});
    return verifier.verification_orders().front();
  }

  void back_up(const std::string& name) {
    PolicyRun run;
    run.backup = name;
    Policy policy;
    policy.name = "p";
    policy.cluster = "c";
    PolicyTier tier;
    tier.name = "t";
    ASSERT_TRUE(simulated_.begin(policy, tier, run));
    clock_.advance(kHour);
    (void)simulated_.look(policy, tier, run);
  }

  ManualClock clock_{*parse_iso8601("2026-03-01T12:00:00Z")};
  MemorySettings settings_;
  SimulatedClusters simulated_{clock_};
  test::PointClusters clusters_{simulated_};
  Trials trials_;
  World world_;
  std::vector<VerificationOrder> orders_;
  bool active_ = true;
  std::vector<std::string> news_, told_;
};

TEST_F(VerifierTest, TheNewestGoodPointOnceAtItsTime) {
  Verifier verifier(parts());
  back_up("first");
  back_up("second");
  simulated_.outcome = [] { return SimulatedOutcome{60'000, "PartiallyFailed", {}}; };
  back_up("third");
  verifier.pass({});
  EXPECT_EQ((std::vector<std::string>{}), trials_.calls);
  const VerificationStatus s = next_day(verifier);
  EXPECT_EQ((std::vector<std::string>{"read second", "restore second into c"}), trials_.calls);
  EXPECT_EQ(std::tuple("verified", "second", clock_.wall_ms(), 1'500), std::tuple(s.last_state, s.last_backup, s.good_ms, s.ready_ms));
  EXPECT_TRUE(trials_.kept["second"].verified());
  EXPECT_EQ(7U, trials_.kept["second"].read->items);
  EXPECT_EQ((std::vector<std::string>{"p"}), news_);
  verifier.pass({});
  EXPECT_EQ(2U, trials_.calls.size());
  // A restart does not make the time come again, and forgets nothing.
  Verifier again(parts());
  again.pass({});
  EXPECT_EQ(2U, trials_.calls.size());
  EXPECT_EQ(s.good_ms, again.verification_orders().front().good_ms);
  EXPECT_EQ((std::vector<std::string>{}), told_);
}

TEST_F(VerifierTest, WhatFailsIsEvidenceAndWhatCannotBeTriedIsNone) {
  Verifier verifier(parts());
  back_up("b");
  verifier.pass({});
  (void)next_day(verifier);
  trials_.restored->problems = 1;
  trials_.restored->problem = {"pods shop/web: it is not ready"};
  VerificationStatus s = next_day(verifier);
  EXPECT_EQ("failed", s.last_state);
  EXPECT_TRUE(trials_.kept["b"].doubted());
  EXPECT_EQ("verification at level restore failed: pods shop/web: it is not ready", told_.back());
  // The scratch cluster is gone: that says nothing about the restore point.
  trials_.restored = k8s::TrialOutcome();
  trials_.restored->reason = "connection refused";
  trials_.kept["b"].restore->good = true;
  s = next_day(verifier);
  EXPECT_EQ("undecided: connection refused", s.last_state + ": " + s.last_reason);
  EXPECT_TRUE(trials_.kept["b"].verified());
  EXPECT_EQ("verification at level restore could not be carried out: connection refused", told_.back());
}

TEST_F(VerifierTest, WhatIsDamagedIsNotRestored) {
  Verifier verifier(parts());
  back_up("b");
  verifier.pass({});
  trials_.read = k8s::PointCheck{3, 100, 7, 1, {"b.tar.gz: it is cut off"}};
  EXPECT_EQ("failed", next_day(verifier).last_state);
  EXPECT_EQ((std::vector<std::string>{"read b"}), trials_.calls);
  EXPECT_FALSE(trials_.kept["b"].read->good);
  EXPECT_FALSE(trials_.kept["b"].restore);
}

TEST_F(VerifierTest, TooLongWithoutSuccessIsToldOnce) {
  Verifier verifier(parts());
  verifier.pass({});
  EXPECT_FALSE(next_day(verifier).overdue);
  EXPECT_EQ("there is no good restore point yet", verifier.verification_orders().front().last_reason);
  (void)next_day(verifier);
  EXPECT_TRUE(next_day(verifier).overdue);
  (void)next_day(verifier);
  EXPECT_EQ(1, std::count(told_.begin(), told_.end(), "no verification at level restore has succeeded within 2d"));
  back_up("b");
  EXPECT_FALSE(next_day(verifier).overdue);
}

TEST_F(VerifierTest, NothingBySchedulesWhileAnotherApplianceActs) {
  Verifier verifier(parts());
  back_up("b");
  verifier.pass({});
  active_ = false;
  (void)next_day(verifier);
  EXPECT_EQ(0U, trials_.calls.size());
  active_ = true;
  verifier.pass({});
  EXPECT_EQ(2U, trials_.calls.size());  // the time that was missed is made up for, once
}

TEST_F(VerifierTest, AClockThatIsPutBackDoesNotMakeTimesComeTwice) {
  Verifier verifier(parts());
  back_up("b");
  verifier.pass({});
  (void)next_day(verifier);
  clock_.jump_wall(-2 * kDay);
  verifier.pass({});
  EXPECT_EQ(2U, trials_.calls.size());
}

TEST_F(VerifierTest, LevelReadReadsTheCopiesThatThePolicyNames) {
  order("level: read");
  Verifier verifier(parts());
  back_up("b");
  world_.copy.backup = "b";
  verifier.pass({});
  EXPECT_EQ("whole", next_day(verifier).last_state);
  EXPECT_EQ((std::vector<std::string>{"dr/b"}), world_.checked);
  world_.copy.state = "damaged";
  world_.copy.damage = {"b.tar.gz is not what was copied"};
  EXPECT_EQ("its copy at site \"dr\": b.tar.gz is not what was copied", next_day(verifier).last_reason);
  EXPECT_FALSE(trials_.kept["b"].read->good);
  world_.copy.state = "failed";
  world_.copy.reason = "the site does not answer";
  EXPECT_EQ("undecided", next_day(verifier).last_state);
  // One that has not got there yet is no damage.
  world_.begins = error(Code::kNotFound, "no copy");
  EXPECT_EQ("whole", next_day(verifier).last_state);
  order("level: read\ncopies: false");
  world_.checked.clear();
  EXPECT_EQ("whole", next_day(verifier).last_state);
  EXPECT_EQ(0U, world_.checked.size());
}

TEST_F(VerifierTest, OnDemandAsThePolicySaysUnlessAskedOtherwise) {
  order("level: restore\ncluster: scratch");
  Verifier verifier(parts());
  back_up("b");
  const auto first = verifier.start_verification("c", "b", "");
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(Code::kAlreadyExists, verifier.start_verification("c", "b", "").error().code());
  verifier.pass({});
  EXPECT_EQ("restore b into scratch", trials_.calls.back());
  EXPECT_EQ("scratch", trials_.kept["b"].restore->cluster);
  EXPECT_EQ("verified", verifier.verification(*first)->state);
  ASSERT_TRUE(verifier.start_verification("c", "b", R"({"level":"read","copies":false})"));
  verifier.pass({});
  EXPECT_EQ("read b", trials_.calls.back());
  EXPECT_EQ("whole", verifier.verifications().back().state);
  EXPECT_EQ("level: \"deep\" is neither restore nor read", verifier.start_verification("c", "b", R"({"level":"deep"})").error().message());
  EXPECT_EQ(Code::kInvalidArgument, verifier.start_verification("c", "b", R"({"schedule":"@daily"})").error().code());
  EXPECT_EQ(Code::kNotFound, verifier.start_verification("c", "none", "").error().code());
  EXPECT_EQ(Code::kNotFound, verifier.verification(99).error().code());
  EXPECT_EQ("", verifier.verification_orders().front().last_state);  // nothing of it came by schedule
}

TEST_F(VerifierTest, WhatTrialsHaveLeftIsLookedForUntilItIsGone) {
  trials_.clean = error(Code::kUnavailable, "not reached");
  Verifier verifier(parts());
  verifier.pass({});
  verifier.pass({});
  EXPECT_EQ(1, trials_.cleaned);
  clock_.advance(600'000);
  trials_.clean = {};
  verifier.pass({});
  EXPECT_EQ(2, trials_.cleaned);
  back_up("b");
  trials_.restored->not_removed = "namespace hf-1-shop is still terminating";
  const auto id = verifier.start_verification("c", "b", "");
  verifier.pass({});
  EXPECT_EQ("what was restored for it is not removed yet: namespace hf-1-shop is still terminating", verifier.verification(*id)->reason);
  EXPECT_EQ("verified", verifier.verification(*id)->state);
  clock_.advance(600'000);
  verifier.pass({});
  EXPECT_EQ(3, trials_.cleaned);
}

TEST_F(VerifierTest, PoliciesThatAreGoneLeaveNoFacts) {
  Verifier verifier(parts());
  verifier.pass({});
  EXPECT_EQ(1U, settings_.setting_names("verification/").size());
  orders_.clear();
  verifier.pass({});
  EXPECT_EQ(0U, settings_.setting_names("verification/").size());
}

TEST_F(VerifierTest, EndsWhileItWaitsForACopy) {
  order("level: read");
  Verifier verifier(parts());
  back_up("b");
  world_.copy.backup = "b";
  world_.copy.state = "checking";
  ASSERT_TRUE(verifier.start_verification("c", "b", ""));
  std::stop_source stop;
  std::jthread worker([&] { verifier.pass(stop.get_token()); });
  while (verifier.verifications().back().state != "running") std::this_thread::yield();
  stop.request_stop();
  worker.join();
  EXPECT_EQ("undecided", verifier.verifications().back().state);
}

}  // namespace
}  // namespace holdfast
