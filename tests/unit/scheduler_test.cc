// Policies: what they say, when they run, what becomes of their runs, and what they keep.
#include <gtest/gtest.h>

#include <thread>

#include "daemon/duration.h"
#include "daemon/scheduler/scheduler.h"
#include "storage/base/log.h"
#include "storage/base/times.h"
#include "tests/support/scheduler_world.h"

namespace holdfast {
namespace {

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

int64_t at(const std::string& text) { return *parse_iso8601(text); }

std::string tier(const std::string& more) { return "name: p\ncluster: prod\ntiers:\n- name: t\n  retention: forever\n" + more; }

TEST(Lengths, AsPeopleWriteThem) {
  EXPECT_EQ(7 * kDay, parse_length_ms("7d"));
  EXPECT_EQ(kHour + 30 * kMinute, parse_length_ms("1h30m"));
  EXPECT_EQ(365 * kDay, parse_length_ms("1y"));
  EXPECT_EQ(14 * kDay, parse_length_ms("2w"));
  for (const char* bad : {"", "7", "d", "7 d", "0s", "-1d", "7days", "9999y", "99999999999999999999h"}) EXPECT_FALSE(parse_length_ms(bad)) << bad;
  EXPECT_EQ("1d12h", length_text(36 * kHour));
}

TEST(PolicyDocuments, SayWhatRunsWhen) {
  const auto p = parse_policy(
      "name: five\ncluster: prod\ntimeZone: Europe/Berlin\nbackup: {includedNamespaces: [shop], snapshotVolumes: false}\ntiers:\n"
      "- {name: hot, schedule: '0 * * * *', retention: {keepFor: 7d}}\n"
      "- {name: full, schedule: '@weekly', timeZone: UTC, backup: {includedNamespaces: ['*']}, missed: skip, overlap: queue, deadline: 12h, jitter: 10m,"
      " retries: {times: 3, wait: 1m, longestWait: 3m}, retention: {last: 2, daily: 7, yearly: 1}}\n");
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_EQ("TZ=Europe/Berlin 0 * * * *", p->tiers[0].schedule);
  EXPECT_EQ("shop", p->tiers[0].backup.at("includedNamespaces").at(0).as_string());
  EXPECT_EQ(7 * kDay, p->tiers[0].retention.keep_for_ms);
  const PolicyTier& full = p->tiers[1];
  EXPECT_EQ("*", full.backup.at("includedNamespaces").at(0).as_string());
  EXPECT_FALSE(full.backup.at("snapshotVolumes").as_bool());
  EXPECT_EQ(PolicyTier::Missed::kSkip, full.missed);
  EXPECT_EQ(PolicyTier::Overlap::kQueue, full.overlap);
  EXPECT_EQ(12 * kHour, full.deadline_ms);
  EXPECT_EQ(kMinute, full.retries.wait_ms(1));
  EXPECT_EQ(2 * kMinute, full.retries.wait_ms(2));
  EXPECT_EQ(3 * kMinute, full.retries.wait_ms(3));
  EXPECT_EQ(2U, full.retention.last);
}

struct Wrong {
  std::string document, error;
};
class WrongPolicies : public testing::TestWithParam<Wrong> {};

TEST_P(WrongPolicies, AreRefusedWithLineAndField) {
  const auto p = parse_policy(GetParam().document);
  ASSERT_FALSE(p);
  EXPECT_EQ(Code::kInvalidArgument, p.error().code());
  EXPECT_NE(std::string::npos, p.error().message().find(GetParam().error)) << p.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongPolicies,
    testing::Values(Wrong{"- a\n", "line 1: it is not a map"}, Wrong{"name: p\ntiers: []\n", "line 1: \"cluster\" is missing"},
                    Wrong{"name: P\ncluster: prod\n", "line 1: name: \"P\" is no name"}, Wrong{"name: p\ncluster: prod\ntiers: []\n", "line 3: tiers: it is not a list of one tier"},
                    Wrong{"name: p\ncluster: prod\ntier: []\n", "line 3: tier: there is no such field here"},
                    Wrong{tier("  schedule: 61 * * * *\n"), "line 6: tiers[0].schedule: \"61\" is no minute"},
                    Wrong{tier("  schedule: 0 0 30 2 *\n"), "tiers[0].schedule: that time never comes"},
                    Wrong{tier("  schedule: '@daily'\n  timeZone: Mars/Phobos\n"), "line 7: tiers[0].timeZone"},
                    Wrong{tier("  schedule: '@daily'\n  deadline: soon\n"), "line 7: tiers[0].deadline: \"soon\" is no length of time"},
                    Wrong{tier("  schedule: '@daily'\n  retries: {times: 1000}\n"), "line 7: tiers[0].retries.times"},
                    Wrong{tier("  schedule: '@daily'\n  overlap: maybe\n"), "\"maybe\" is neither skip nor queue"},
                    Wrong{tier("  schedule: '@daily'\n  backup: {includedNamespace: [a]}\n"), "line 7: tiers[0].backup: "},
                    Wrong{tier("  schedule: '@daily'\n  backup: {ttl: 1h}\n"), "line 7: tiers[0].backup.ttl: a policy sees to this itself"},
                    Wrong{tier("  schedule: '@daily'\n  backup: {includedResources: [a], includedClusterScopedResources: [b]}\n"), "line 7: tiers[0].backup: "},
                    Wrong{tier("  schedule: '@daily'\n- {name: t, schedule: '@daily', retention: forever}\n"), "line 7: tiers[1].name: there is another tier \"t\""},
                    Wrong{tier("  schedule: '@daily'\n  copies: [{site: dr, retention: forever}, {site: dr, retention: forever}]\n"), "line 7: tiers[0].copies[1].site: there is another copy"},
                    Wrong{tier("  schedule: '@daily'\n  copies: [{site: dr, labels: [a], retention: forever}]\n"), "tiers[0].copies[0].labels: it is not a map of labels"},
                    Wrong{tier("  schedule: '@daily'\n  copies: [{site: dr, labels: {a: 1}, retention: forever}]\n"), "the value of \"a\" is not a text"},
                    Wrong{tier("  schedule: '@daily'\n  lock: 11y\n"), "tiers[0].lock: it is more than ten years, and nobody could take it back"},
                    Wrong{tier("  schedule: '@daily'\n  lock: soon\n"), "tiers[0].lock"},
                    Wrong{tier("  schedule: '@daily'\n  copies: [{site: dr, lock: 20y, retention: forever}]\n"), "tiers[0].copies[0].lock: it is more than ten years"},
                    Wrong{tier("  schedule: '@daily'\n  copies:\n  - site: dr\n"), "line 8: tiers[0].copies[0]: \"retention\" is missing"},
                    Wrong{tier("  schedule: '@daily'\n  copies: [{site: dr, retention: {verified: 1}}]\n"), "line 7: tiers[0].copies[0].retention.verified: there is no such field here"},
                    Wrong{tier("  schedule: '@daily'\n  verification:\n    level: restore\n"), "line 7: tiers[0].verification: \"schedule\" is missing"},
                    Wrong{tier("  schedule: '@daily'\n  verification:\n    schedule: '@weekly'\n    level: deep\n"), "line 9: tiers[0].verification.level: \"deep\" is neither restore nor read"},
                    Wrong{tier("  schedule: '@daily'\n  verification:\n    schedule: '@weekly'\n    checks:\n    - http: {namespace: n, service: s, port: 80, path: x}\n"), "line 10: tiers[0].verification.checks[0].http.path: it does not begin with a slash"},
                    Wrong{tier("  schedule: '@daily'\n  verification: {schedule: '@weekly', checks: [{exec: {namespace: n, command: [x]}}]}\n"), "tiers[0].verification.checks[0].exec.pod: either \"pod\" or \"selector\""},
                    Wrong{tier("  schedule: '@daily'\n  verification: {schedule: '@weekly', checks: [{within: 1m}]}\n"), "tiers[0].verification.checks[0]: it is neither \"exec\" nor \"http\""},
                    Wrong{"name: p\ncluster: c\ntiers:\n- {name: t, schedule: '@daily'}\n", "line 4: tiers[0]: \"retention\" is missing"},
                    Wrong{"name: p\ncluster: c\ntiers:\n- {name: t, schedule: '@daily', retention: {last: 0}}\n", "it keeps nothing"},
                    Wrong{"name: " + std::string(40, 'p') + "\ncluster: c\ntiers:\n- {name: " + std::string(30, 't') + ", schedule: '@daily', retention: forever}\n", "characters together"},
                    Wrong{"name: [\n", "it is not YAML"}));

class SchedulerTest : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::err);
    start();
  }

  void start() {
    SchedulerParts parts{&settings_, &clusters_, &clock_, &random_, [this] { return may_remove_; }, {}, {}};
    parts.why_it_stays = [this](const Policy& policy, const OwnedPoint& p) { return held_ == policy.cluster + "/" + p.point.name ? "somebody holds it" : ""; };
    parts.tell = [this](const Event& e) { told_.push_back(std::string(name_of(e.kind)) + " " + e.policy + "/" + e.tier + " " + e.backup + (e.backup.empty() ? "" : " ") + e.text); };
    parts.is_active = [this] { return active_; };
    parts.check_standing = [this]() -> Result<void> {
      if (!active_) return error(Code::kFailedPrecondition, "another one acts");
      return {};
    };
    scheduler_ = std::make_unique<Scheduler>(std::move(parts));
    scheduler_->load();
  }

  void apply(const std::string& more) {
    const auto applied = scheduler_->apply_policy(tier(more));
    ASSERT_TRUE(applied) << applied.error().message();
    scheduler_->step();
  }

  // Everything that happens up to then.
  void go_on(int64_t ms) {
    for (int64_t left = ms; left > 0;) {
      int64_t wait = std::clamp<int64_t>(scheduler_->step(), 1, left);
      if (const auto end = clusters_.next_end_ms()) wait = std::clamp<int64_t>(*end - clock_.monotonic_ms(), 1, wait);
      clock_.advance(wait);
      left -= wait;
      scheduler_->wake();
      scheduler_->step();
    }
  }

  std::vector<PolicyRun> runs() const { return scheduler_->policy("p")->tiers[0].runs; }
  TierTotals totals() const { return scheduler_->policy("p")->tiers[0].totals; }

  ManualClock clock_{at("2026-03-01T00:00:00Z")};
  SeededRandom random_{7};
  MemorySettings settings_;
  SimulatedClusters clusters_{clock_};
  bool may_remove_ = true, active_ = true;
  std::string held_;               // "CLUSTER/BACKUP"
  std::vector<std::string> told_;  // events
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, EachTimeRunsOnce) {
  apply("  schedule: 0 * * * *\n");
  go_on(3 * kHour + kMinute);
  ASSERT_EQ(3U, runs().size());
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301010000", "p-t-20260301020000", "p-t-20260301030000"}), clusters_.begun());
  for (const PolicyRun& r : runs()) EXPECT_EQ(PolicyRun::State::kCompleted, r.state);
  EXPECT_EQ(at("2026-03-01T03:01:00Z"), totals().last_completed_ms);
  EXPECT_EQ(at("2026-03-01T03:00:00Z"), totals().last_point_ms);
  EXPECT_EQ(at("2026-03-01T04:00:00Z"), scheduler_->policy("p")->tiers[0].next_ms);
}

TEST_F(SchedulerTest, TheHourThatIsLeftOutAndTheOneThatComesTwice) {
  clock_.jump_wall(at("2026-03-28T12:00:00Z") - clock_.wall_ms());
  apply("  schedule: 30 2 * * *\n  timeZone: Europe/Berlin\n");
  go_on(2 * kDay);
  EXPECT_EQ((std::vector<std::string>{"p-t-20260329010000", "p-t-20260330003000"}), clusters_.begun());
  clock_.jump_wall(at("2026-10-24T12:00:00Z") - clock_.wall_ms());
  go_on(2 * kDay);
  const auto begun = clusters_.begun();
  EXPECT_EQ((std::vector<std::string>{"p-t-20261025003000", "p-t-20261026013000"}), std::vector<std::string>(begun.end() - 2, begun.end()));
}

TEST_F(SchedulerTest, TimesThatPassedAreMadeUpForOnce) {
  apply("  schedule: 0 * * * *\n");
  clock_.jump_wall(5 * kHour + 10 * kMinute);  // the host slept
  go_on(5 * kMinute);
  ASSERT_EQ(1U, runs().size());
  EXPECT_EQ("catch-up", runs()[0].trigger);
  EXPECT_EQ(4U, runs()[0].missed);
  EXPECT_EQ(at("2026-03-01T05:00:00Z"), runs()[0].due_ms);
  go_on(kHour);
  EXPECT_EQ("schedule", runs()[1].trigger);
}

TEST_F(SchedulerTest, OrSkippedAsThePolicySays) {
  apply("  schedule: 0 * * * *\n  missed: skip\n");
  clock_.jump_wall(5 * kHour + 10 * kMinute);
  go_on(5 * kMinute);
  ASSERT_EQ(1U, runs().size());
  EXPECT_EQ(PolicyRun::State::kSkipped, runs()[0].state);
  EXPECT_EQ("nothing could run when it was due", runs()[0].reason);
  EXPECT_EQ(5U, totals().skipped);
  EXPECT_TRUE(clusters_.begun().empty());
}

TEST_F(SchedulerTest, OneAtATime) {
  clusters_.outcome = [] { return SimulatedOutcome{150 * kMinute, "Completed", {}}; };
  apply("  schedule: 0 * * * *\n");
  go_on(5 * kHour + kMinute);
  // At 1:00, until 3:30; 2:00 and 3:00 are one fact; 4:00.
  ASSERT_EQ(4U, runs().size());
  EXPECT_EQ(PolicyRun::State::kSkipped, runs()[1].state);
  EXPECT_EQ("run 1 had not ended", runs()[1].reason);
  EXPECT_EQ(1U, runs()[1].missed);
  EXPECT_EQ(at("2026-03-01T04:00:00Z"), runs()[2].started_ms);
  EXPECT_EQ(3U, totals().skipped);
}

TEST_F(SchedulerTest, OneStandsInLine) {
  clusters_.outcome = [] { return SimulatedOutcome{150 * kMinute, "Completed", {}}; };
  apply("  schedule: 0 * * * *\n  overlap: queue\n");
  go_on(6 * kHour + kMinute);
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301010000", "p-t-20260301033000", "p-t-20260301060000"}), clusters_.begun());
  EXPECT_EQ("another one waits already", runs()[2].reason);
}

TEST_F(SchedulerTest, AgainAfterFailures) {
  int n = 0;
  clusters_.outcome = [&] { return SimulatedOutcome{kMinute, ++n < 3 ? "Failed" : "Completed", {}}; };
  apply("  schedule: 0 0 * * *\n  retries: {times: 2, wait: 10m}\n");
  go_on(kDay + kHour);
  ASSERT_EQ(1U, runs().size());
  EXPECT_EQ(PolicyRun::State::kCompleted, runs()[0].state);
  EXPECT_EQ(3U, runs()[0].attempt);
  // A minute each; ten minutes, then twenty.
  EXPECT_EQ((std::vector<std::string>{"p-t-20260302000000", "p-t-20260302001100", "p-t-20260302003200"}), clusters_.begun());
  EXPECT_EQ(0U, totals().failed);
}

TEST_F(SchedulerTest, NotForEver) {
  clusters_.outcome = [] { return SimulatedOutcome{kMinute, "Failed", {}}; };
  apply("  schedule: 0 0 * * *\n  retries: {times: 1}\n");
  go_on(kDay + kHour);
  EXPECT_EQ(PolicyRun::State::kFailed, runs()[0].state);
  EXPECT_EQ("simulated", runs()[0].reason);
  EXPECT_EQ(2U, clusters_.begun().size());
  EXPECT_EQ(1U, totals().failed);
}

TEST_F(SchedulerTest, WhatIsWronglyAskedForIsNotAskedForAgain) {
  clusters_.outcome = [] { return SimulatedOutcome{0, "FailedValidation", {}}; };
  apply("  schedule: 0 0 * * *\n  retries: {times: 5}\n");
  go_on(kDay + kHour);
  EXPECT_EQ(PolicyRun::State::kFailed, runs()[0].state);
  EXPECT_EQ(1U, clusters_.begun().size());
}

TEST_F(SchedulerTest, ADeadlineEndsIt) {
  clusters_.outcome = [] { return SimulatedOutcome{20 * kHour, "Completed", {}}; };
  apply("  schedule: 0 0 * * *\n  deadline: 2h\n  retries: {times: 5}\n");
  go_on(kDay + 3 * kHour);
  EXPECT_EQ(PolicyRun::State::kFailed, runs()[0].state);
  EXPECT_EQ("its deadline of 2h is over", runs()[0].reason);
  EXPECT_EQ(1U, clusters_.begun().size());
  EXPECT_TRUE(clusters_.point_names().empty());
}

TEST_F(SchedulerTest, AClusterThatCannotSayYetIsAskedAgainUntilTheDeadline) {
  clusters_.outcome = [] { return SimulatedOutcome{0, "", error(Code::kUnavailable, "starting")}; };
  apply("  schedule: 0 0 * * *\n  deadline: 1h\n");
  go_on(kDay + 30 * kMinute);
  EXPECT_EQ(PolicyRun::State::kWaiting, runs()[0].state);
  EXPECT_EQ("starting", runs()[0].reason);
  go_on(kHour);
  EXPECT_EQ("its deadline of 1h is over; before: starting", runs()[0].reason);
}

TEST_F(SchedulerTest, JitterDelaysWithinItsBounds) {
  apply("  schedule: 0 * * * *\n  jitter: 20m\n");
  go_on(20 * kHour + 30 * kMinute);
  std::set<int64_t> delays;
  for (const PolicyRun& r : runs()) delays.insert(r.started_ms - r.due_ms);
  EXPECT_GT(delays.size(), 10U);
  EXPECT_GE(*delays.begin(), 0);
  EXPECT_LT(*delays.rbegin(), 20 * kMinute);
}

TEST_F(SchedulerTest, AKillInTheMiddleIsAFailureWithItsReason) {
  apply("  schedule: 0 * * * *\n");
  go_on(kHour + kMinute / 2);
  ASSERT_EQ(PolicyRun::State::kRunning, runs()[0].state);
  clusters_.crash(false);
  start();
  go_on(kMinute);
  EXPECT_EQ(PolicyRun::State::kFailed, runs()[0].state);
  EXPECT_EQ("the daemon ended while it ran", runs()[0].reason);
  go_on(kHour);
  EXPECT_EQ(PolicyRun::State::kCompleted, runs()[1].state);
}

TEST_F(SchedulerTest, AndRunsAgainWhereThePolicySaysSo) {
  apply("  schedule: 0 * * * *\n  retries: {times: 1}\n");
  go_on(kHour + kMinute / 2);
  clusters_.crash(true);
  start();
  go_on(10 * kMinute);
  EXPECT_EQ(PolicyRun::State::kCompleted, runs()[0].state);
  EXPECT_EQ(2U, runs()[0].attempt);
}

TEST_F(SchedulerTest, PausedItRunsOnlyWhenAsked) {
  apply("  schedule: 0 * * * *\n");
  ASSERT_TRUE(scheduler_->pause_policy("p", true));
  go_on(3 * kHour + kMinute);
  EXPECT_TRUE(runs().empty());
  EXPECT_EQ(0, scheduler_->policy("p")->tiers[0].next_ms);
  start();
  EXPECT_TRUE(scheduler_->policy("p")->paused);
  ASSERT_TRUE(scheduler_->run_policy("p", ""));
  EXPECT_EQ("run 1 of tier \"t\" is waiting", scheduler_->run_policy("p", "t").error().message());
  go_on(5 * kMinute);
  EXPECT_EQ(PolicyRun::State::kCompleted, runs()[0].state);
  apply("  schedule: 0 * * * *\n  jitter: 1s\n");  // says nothing of it
  EXPECT_TRUE(scheduler_->policy("p")->paused);
  ASSERT_TRUE(scheduler_->pause_policy("p", false));
  go_on(kHour);
  ASSERT_EQ(2U, runs().size());
  EXPECT_EQ("schedule", runs()[1].trigger);
  EXPECT_EQ(0U, runs()[1].missed);
}

TEST_F(SchedulerTest, AClockThatWasAheadIsForgiven) {
  apply("  schedule: 0 * * * *\n");
  clock_.jump_wall(30 * kDay);
  go_on(2 * kHour);
  clock_.jump_wall(-30 * kDay);
  const size_t before = clusters_.begun().size();
  go_on(3 * kHour + kMinute);
  EXPECT_EQ(before + 3, clusters_.begun().size());
  start();
  go_on(kHour);
  EXPECT_EQ(before + 4, clusters_.begun().size());
}

TEST_F(SchedulerTest, NothingBeginsThatIsNotAFactFirst) {
  apply("  schedule: 0 * * * *\n");
  bool broken = true;
  settings_.fails = [&] { return broken; };
  go_on(2 * kHour);
  EXPECT_TRUE(clusters_.begun().empty());
  broken = false;
  go_on(kMinute);
  ASSERT_EQ(1U, clusters_.begun().size());
  EXPECT_EQ(at("2026-03-01T02:00:00Z"), runs()[0].due_ms);
}

TEST_F(SchedulerTest, FactsOutliveTheProcessAndAreBounded) {
  apply("  schedule: 0 * * * *\n");
  go_on(100 * kHour + kMinute);
  const auto before = runs();
  EXPECT_EQ(30U, before.size());
  start();
  EXPECT_EQ(100U, totals().completed);
  ASSERT_EQ(before.size(), runs().size());
  EXPECT_EQ(before.back().backup, runs().back().backup);
  EXPECT_EQ(100U, runs().back().id);
}

TEST_F(SchedulerTest, AnotherVersionGoesOnFromNow) {
  apply("  schedule: 0 * * * *\n");
  go_on(90 * kMinute);
  apply("  schedule: '*/10 * * * *'\n");
  go_on(11 * kMinute);
  ASSERT_EQ(2U, runs().size());
  EXPECT_EQ(at("2026-03-01T01:40:00Z"), runs()[1].due_ms);
  EXPECT_EQ(0U, runs()[1].missed);
  const auto refused = scheduler_->apply_policy(tier("  schedule: nonsense\n"));
  ASSERT_FALSE(refused);
  EXPECT_EQ("*/10 * * * *", scheduler_->policy("p")->tiers[0].schedule);
  ASSERT_TRUE(scheduler_->remove_policy("p"));
  EXPECT_EQ(Code::kNotFound, scheduler_->policy("p").error().code());
  EXPECT_TRUE(settings_.setting_names("").empty());
}

TEST_F(SchedulerTest, RemovesWhatNoRuleKeepsAndNothingWhileTheClockIsInDoubt) {
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: {last: 2}}\n"));
  go_on(5 * kHour + 2 * kMinute);
  may_remove_ = false;
  scheduler_->remove_expired({});
  EXPECT_EQ(5U, clusters_.point_names().size());
  may_remove_ = true;
  scheduler_->remove_expired({});
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301040000", "p-t-20260301050000"}), clusters_.point_names());
  // A tier that is no more keeps what it had.
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: u, schedule: 30 * * * *, retention: {last: 1}}\n"));
  go_on(2 * kHour);
  scheduler_->remove_expired({});
  EXPECT_EQ(3U, clusters_.point_names().size());
}

TEST_F(SchedulerTest, WhatIsHeldStaysUntilItIsReleased) {
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: {last: 1}}\n"));
  go_on(3 * kHour + 2 * kMinute);
  held_ = "prod/p-t-20260301010000";
  scheduler_->remove_expired({});
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301010000", "p-t-20260301030000"}), clusters_.point_names());
  const auto judged = scheduler_->judge_points("p");
  ASSERT_TRUE(judged);
  EXPECT_EQ("somebody holds it", judged->back().why);
  held_.clear();
  go_on(20 * kMinute);
  scheduler_->remove_expired({});
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301030000"}), clusters_.point_names());
}

TEST_F(SchedulerTest, WhatIsLockedStaysUntilItsTimeIsOver) {
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: {last: 1}, lock: 3h}\n- {name: u, schedule: 0 * * * *, retention: {last: 1}}\n"));
  for (int i = 0; i < 31; ++i) {
    go_on(5 * kMinute);
    scheduler_->remove_expired({});
  }
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301010000", "p-t-20260301020000", "p-u-20260301020000"}), clusters_.point_names());
  const auto judged = scheduler_->judge_points("p");
  ASSERT_TRUE(judged);
  EXPECT_EQ("locked until 2026-03-01T04:00:00Z", (*judged)[1].why);
  // Another rule does not shorten it.
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 0 1 1 *, retention: {last: 1}, lock: 1h}\n"));
  go_on(80 * kMinute);
  scheduler_->remove_expired({});
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301010000", "p-t-20260301020000", "p-u-20260301020000"}), clusters_.point_names());
  go_on(20 * kMinute);
  scheduler_->remove_expired({});
  EXPECT_EQ((std::vector<std::string>{"p-t-20260301020000", "p-u-20260301020000"}), clusters_.point_names());
}

TEST_F(SchedulerTest, WhatCannotBeLockedYetIsWhenItHasEnded) {
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: {last: 1}, lock: 3h}\n"));
  clusters_.may_lock = []() -> Result<void> { return error(Code::kUnavailable, "whoever makes it has not ended yet"); };
  go_on(kHour + 2 * kMinute);
  scheduler_->remove_expired({});
  EXPECT_EQ(0, clusters_.points("prod")->front().point.locked_until_ms);
  clusters_.may_lock = [] { return Result<void>(); };
  scheduler_->wake();
  scheduler_->remove_expired({});
  EXPECT_EQ(clusters_.points("prod")->front().point.started_ms + 3 * kHour, clusters_.points("prod")->front().point.locked_until_ms);
}

// What the forecast says is what happens.
TEST_F(SchedulerTest, TheForecastComesTrue) {
  const std::string document = "name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 */6 * * *, retention: {last: 2, daily: 3, keepFor: 30h}, lock: 40h}\n- {name: u, schedule: 0 0 1 * *, retention: forever}\n";
  ASSERT_TRUE(scheduler_->apply_policy(document));
  for (int i = 0; i < 12; ++i) {
    go_on(6 * kHour);
    scheduler_->remove_expired({});
  }
  const auto told = scheduler_->forecast("p", "", 10 * kDay);
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ(clock_.wall_ms() + 10 * kDay, told->ends_ms);
  ASSERT_FALSE(told->points.empty());
  std::map<std::string, int64_t> gone;  // when
  for (int i = 0; i < 10 * 24 * 12; ++i) {
    const auto before = clusters_.point_names();
    go_on(5 * kMinute);
    scheduler_->look_at_points("p");
    scheduler_->remove_expired({});
    const auto after = clusters_.point_names();
    for (const std::string& name : before) {
      if (std::find(after.begin(), after.end(), name) == after.end()) gone[name] = clock_.wall_ms();
    }
  }
  size_t removed = 0;
  for (const auto& p : told->points) {
    ASSERT_TRUE(p.keep) << p.backup;
    EXPECT_EQ(p.until_ms != 0, gone.contains(p.backup)) << p.backup;
    if (p.until_ms == 0) continue;
    ++removed;
    // A run takes a minute; what it makes counts from its beginning.
    EXPECT_NEAR(static_cast<double>(gone[p.backup]), static_cast<double>(p.until_ms), 10.0 * kMinute) << p.backup;
  }
  EXPECT_GT(removed, 3U);
  size_t kept = 0;
  for (const std::string& name : clusters_.point_names()) kept += name.starts_with("p-t-") ? 1 : 0;
  EXPECT_EQ(kept, told->months.front().kept);
  EXPECT_EQ("t", told->months.front().tier);
}

TEST_F(SchedulerTest, AForecastOfAPolicyThatIsNotAppliedChangesNothing) {
  ASSERT_TRUE(scheduler_->apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: forever}\n"));
  go_on(6 * kHour + 2 * kMinute);
  const std::string stricter = "name: p\ncluster: prod\ntiers:\n- {name: t, schedule: 0 * * * *, retention: {last: 2}}\n";
  const auto told = scheduler_->forecast("", stricter, 0);
  ASSERT_TRUE(told);
  ASSERT_EQ(6U, told->points.size());
  EXPECT_EQ(2, std::count_if(told->points.begin(), told->points.end(), [](const auto& p) { return p.keep; }));
  EXPECT_EQ("p-t-20260301060000", told->points[0].backup);
  EXPECT_EQ("the latest good one, one of the last 2", told->points[0].why);
  EXPECT_EQ("no rule keeps it", told->points[5].why);
  EXPECT_EQ(clock_.wall_ms(), told->points[5].until_ms);
  scheduler_->remove_expired({});
  EXPECT_EQ(6U, clusters_.point_names().size());
  EXPECT_EQ(Code::kInvalidArgument, scheduler_->forecast("", "nonsense", 0).error().code());
  EXPECT_EQ(Code::kNotFound, scheduler_->forecast("none", "", 0).error().code());
  // Too much to think through ends sooner, and says so.
  const auto endless = scheduler_->forecast("", "name: p\ncluster: prod\ntiers:\n- {name: t, schedule: '* * * * *', retention: {keepFor: 10y}}\n", 3660 * kDay);
  ASSERT_TRUE(endless);
  EXPECT_LT(endless->ends_ms, clock_.wall_ms() + 30 * kDay);
  EXPECT_GT(endless->ends_ms, clock_.wall_ms());
}

TEST_F(SchedulerTest, AnApplianceThatDoesNotActRunsNothingAndMakesUpForItLater) {
  apply("  schedule: 0 * * * *\n");
  active_ = false;
  go_on(3 * kHour + kMinute);
  EXPECT_TRUE(clusters_.begun().empty());
  EXPECT_TRUE(runs().empty());
  const auto refused = scheduler_->run_policy("p", "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(Code::kFailedPrecondition, refused.error().code());
  active_ = true;
  go_on(kMinute);
  ASSERT_EQ(1U, runs().size());
  EXPECT_EQ("catch-up", runs()[0].trigger);
  EXPECT_EQ(2U, runs()[0].missed);
}

TEST_F(SchedulerTest, EveryEndIsTold) {
  std::vector<std::string> phases{"Completed", "PartiallyFailed", "Failed", "FailedValidation"};
  size_t n = 0;
  clusters_.outcome = [&] { return SimulatedOutcome{kMinute, phases[n++ % phases.size()], {}}; };
  apply("  schedule: 0 * * * *\n");
  go_on(4 * kHour + 10 * kMinute);
  ASSERT_EQ(4U, told_.size());
  EXPECT_TRUE(told_[0].starts_with("backup-completed p/t p-t-20260301010000 ")) << told_[0];
  EXPECT_TRUE(told_[1].starts_with("backup-partially-failed p/t p-t-20260301020000 ")) << told_[1];
  EXPECT_TRUE(told_[2].starts_with("backup-failed p/t p-t-20260301030000 run 3 failed")) << told_[2];
  EXPECT_TRUE(told_[3].starts_with("backup-failed p/t p-t-20260301040000 run 4 failed")) << told_[3];
}

TEST_F(SchedulerTest, MissedRunsAreTold) {
  apply("  schedule: 0 * * * *\n");
  clock_.jump_wall(5 * kHour + 10 * kMinute);
  go_on(5 * kMinute);
  ASSERT_EQ(2U, told_.size());
  EXPECT_EQ("run-missed p/t 5 runs up to 2026-03-01T05:00:00Z were missed; one run makes up for them", told_[0]);
  EXPECT_TRUE(told_[1].starts_with("backup-completed"));
  told_.clear();
  apply("  schedule: 0 * * * *\n  missed: skip\n");
  clock_.jump_wall(2 * kHour);
  go_on(kMinute);
  ASSERT_EQ(1U, told_.size());
  EXPECT_TRUE(told_[0].starts_with("run-missed p/t the run of ")) << told_[0];
}

TEST_F(SchedulerTest, RpoViolationIsToldOnceUntilItIsMended) {
  std::string phase = "Completed";
  clusters_.outcome = [&] { return SimulatedOutcome{kMinute, phase, {}}; };
  apply("  schedule: 0 * * * *\n  rpo: 90m\n");
  const auto violations = [this] { return std::count_if(told_.begin(), told_.end(), [](const std::string& t) { return t.starts_with("rpo-violated p/t "); }); };
  const auto now = [this] { return scheduler_->policy("p")->tiers[0]; };
  go_on(2 * kHour + 10 * kMinute);
  EXPECT_EQ(0, violations());
  EXPECT_EQ(10 * kMinute, now().rpo_ms) << "the last one began at 2:00";
  EXPECT_EQ(90 * kMinute, now().rpo_target_ms);
  phase = "Failed";
  go_on(79 * kMinute);
  EXPECT_EQ(0, violations());
  go_on(2 * kMinute);
  EXPECT_EQ(1, violations());
  EXPECT_TRUE(now().violates_rpo());
  start();  // it is told once more after a start
  go_on(5 * kHour);
  EXPECT_EQ(2, violations());
  phase = "Completed";
  go_on(kHour);
  EXPECT_FALSE(now().violates_rpo());
  phase = "Failed";
  go_on(2 * kHour);
  EXPECT_EQ(3, violations());
}

TEST_F(SchedulerTest, RpoCountsFromTheBeginningWhereThereNeverWasARestorePoint) {
  clusters_.outcome = [] { return SimulatedOutcome{kMinute, "PartiallyFailed", {}}; };
  apply("  schedule: 0 * * * *\n  rpo: 90m\n");
  go_on(89 * kMinute);
  EXPECT_FALSE(scheduler_->policy("p")->tiers[0].violates_rpo());
  start();
  go_on(2 * kMinute);
  EXPECT_TRUE(scheduler_->policy("p")->tiers[0].violates_rpo());
  EXPECT_NE(std::string::npos, told_.back().find("there has been no good restore point for 1h30m")) << told_.back();
}

TEST(Scheduling, OnAThreadOfItsOwn) {
  SystemClock clock;
  SystemRandom random;
  MemorySettings settings;
  SimulatedClusters clusters(clock);
  clusters.outcome = [] { return SimulatedOutcome{0, "Completed", {}}; };
  Scheduler scheduler({&settings, &clusters, &clock, &random, [] { return true; }, {}, {}});
  scheduler.load();
  ASSERT_TRUE(scheduler.apply_policy("name: p\ncluster: prod\ntiers:\n- {name: t, schedule: '@yearly', retention: {last: 1}}\n"));
  scheduler.start();
  ASSERT_TRUE(scheduler.run_policy("p", "t"));
  std::thread teller([&] {
    for (int i = 0; i < 100; ++i) scheduler.wake();
  });
  while (scheduler.policy("p")->tiers[0].totals.completed == 0) {
    scheduler.wake();
    std::this_thread::yield();
  }
  teller.join();
  scheduler.stop();
  EXPECT_EQ(1U, clusters.begun().size());
}

std::vector<std::string> kept(const TierVerdicts& verdicts) {
  std::vector<std::string> names;
  for (const RetentionVerdict& v : verdicts.points) {
    if (v.keep) names.push_back(v.backup);
  }
  return names;
}

TEST(Retention, TheLatestGoodOneStaysHoweverOld) {
  const std::vector<TierPoint> points{{"old", 0, true, true}, {"good", kDay, true, true}, {"partial", 2 * kDay, true, false}, {"running", 3 * kDay, false, false}};
  RetentionRule rule;
  rule.keep_for_ms = kDay;
  EXPECT_EQ((std::vector<std::string>{"running", "good"}), kept(judge(points, rule, std::nullopt, 100 * kDay)));
  EXPECT_EQ((std::vector<std::string>{"running", "partial", "good"}), kept(judge(points, rule, std::nullopt, 2 * kDay + kHour)));
  EXPECT_EQ(0, judge(points, rule, std::nullopt, 100 * kDay).next_ms);
  EXPECT_EQ(3 * kDay, judge(points, rule, std::nullopt, 2 * kDay + kHour).next_ms);
}

TEST(Retention, TheLastThatVerified) {
  std::vector<TierPoint> points;
  for (int64_t day = 0; day < 6; ++day) points.push_back({"d" + std::to_string(day), day * kDay, true, true, day == 0 || day == 2 || day == 3});
  RetentionRule rule;
  rule.verified = 2;
  const TierVerdicts verdicts = judge(points, rule, std::nullopt, 100 * kDay);
  EXPECT_EQ((std::vector<std::string>{"d5", "d3", "d2"}), kept(verdicts));
  EXPECT_EQ("one of the last 2 that verified", verdicts.points[2].why);
}

TEST(Retention, OfEachPeriodTheNewestGoodOne) {
  std::vector<TierPoint> points;
  for (int64_t hour = 0; hour < 24 * 60; ++hour) points.push_back({"h" + std::to_string(hour), at("2026-01-01T00:00:00Z") + hour * kHour, true, hour % 24 != 23});
  RetentionRule rule;
  rule.daily = 2;
  EXPECT_EQ((std::vector<std::string>{"h1438", "h1414"}), kept(judge(points, rule, std::nullopt, at("2026-03-02T00:00:00Z"))));
  rule = {};
  rule.monthly = 12;
  // 2026-03-01 is the last of the sixty days.
  EXPECT_EQ((std::vector<std::string>{"h1438", "h1414", "h742"}), kept(judge(points, rule, std::nullopt, at("2026-03-02T00:00:00Z"))));
  const auto berlin = k8s::TimeZone::find("Europe/Berlin");
  ASSERT_TRUE(berlin);
  rule = {};
  rule.yearly = 1;
  rule.weekly = 1;
  // The last of them is made on a Sunday here, and on a Monday there.
  auto verdicts = judge(points, rule, std::nullopt, at("2026-03-02T00:00:00Z"));
  EXPECT_EQ("the latest good one, the newest of its week, the newest of its year", verdicts.points[1].why);
  EXPECT_EQ("no rule keeps it", verdicts.points[0].why);
  verdicts = judge(points, rule, *berlin, at("2026-03-02T00:00:00Z"));
  EXPECT_EQ("the newest of its week", verdicts.points[0].why);
}

}  // namespace
}  // namespace holdfast
