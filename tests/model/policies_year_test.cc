// A year of policies under simulated time: backups that fail or hang, a daemon that is killed, a host that sleeps, a clock that
// jumps. Every time is accounted for once, and what is kept is what the rules say, against plain models of both.
// HOLDFAST_YEAR_SEEDS, HOLDFAST_YEARS and HOLDFAST_SEED (one seed alone) say how much.
#include <gtest/gtest.h>

#include <random>

#include "daemon/scheduler/scheduler.h"
#include "storage/base/log.h"
#include "storage/base/times.h"
#include "tests/support/plain_rules.h"
#include "tests/support/scheduler_world.h"

namespace holdfast {
namespace {

using test::setting;

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

struct ModelTier {
  std::string name, schedule;
  int64_t interval_ms = 0;  // about
  test::PlainRule rule;
  std::map<uint64_t, PolicyRun> runs;  // everything that was ever seen of them
  int64_t since_ms = 0;
  int64_t lock_ms = 0;
};

std::set<std::string> should_stay(const ModelTier& tier, const std::vector<OwnedPoint>& all, int64_t now_ms) {
  std::vector<TierPoint> points;
  for (const OwnedPoint& p : all) {
    if (p.tier != tier.name) continue;
    points.push_back(p.point);
    // What is not locked yet is before anything is removed.
    TierPoint& point = points.back();
    if (tier.lock_ms > 0 && point.ended && point.locked_until_ms <= now_ms) point.locked_until_ms = (std::min(point.started_ms, now_ms) + tier.lock_ms) / 1000 * 1000;
  }
  return test::should_stay(tier.rule, std::move(points), now_ms);
}

class Year {
 public:
  Year(uint64_t seed, int64_t days) : engine_(seed), random_(seed), clock_(*parse_iso8601("2026-01-15T10:20:30Z")), clusters_(clock_), days_(days) {}

  void run() {
    make_policy();
    restart();
    const auto applied = scheduler_->apply_policy(document_);
    ASSERT_TRUE(applied) << applied.error().message() << "\n" << document_;
    for (ModelTier& t : tiers_) t.since_ms = clock_.wall_ms();
    clusters_.outcome = [this] { return outcome(); };
    settings_.fails = [this] { return chance(2'000); };
    const int64_t end_ms = clock_.monotonic_ms() + days_ * kDay;
    while (clock_.monotonic_ms() < end_ms && !testing::Test::HasFailure()) turn();
    settle();
    if (!testing::Test::HasFailure()) account();
  }

 private:
  bool chance(uint64_t one_in) { return engine_() % one_in == 0; }

  void make_policy() {
    static const std::vector<std::pair<const char*, int64_t>> kTimes{{"0 * * * *", kHour}, {"@every 5h", 5 * kHour}, {"15 3 * * *", kDay}, {"0 2 * * 0", 7 * kDay},
                                                                     {"TZ=Europe/Berlin 30 2 * * *", kDay}, {"CRON_TZ=America/New_York */20 1 * * 1-5", kDay}, {"0 0 1 * *", 30 * kDay}, {"0 6,18 * * *", kDay / 2}};
    document_ = "name: p\ncluster: c\ntiers:\n";
    const size_t count = 1 + engine_() % 3;
    for (size_t i = 0; i < count; ++i) {
      const auto& [schedule, interval_ms] = kTimes[i == 0 ? engine_() % kTimes.size() : 1 + engine_() % (kTimes.size() - 1)];
      ModelTier t;
      t.name = "t" + std::to_string(i);
      t.schedule = schedule;
      t.interval_ms = interval_ms;
      t.rule.last = engine_() % 4;
      t.rule.daily = engine_() % 8;
      t.rule.monthly = engine_() % 13;
      t.rule.keep_for_ms = static_cast<int64_t>(1 + engine_() % 20) * kDay;
      const bool queues = chance(2), catches_up = chance(2);
      if (chance(3)) t.lock_ms = static_cast<int64_t>(1 + engine_() % 30) * kDay;
      document_ += "- name: " + t.name + "\n  schedule: '" + schedule + "'\n  missed: " + (catches_up ? "once" : "skip") + "\n  overlap: " + (queues ? "queue" : "skip") +
                   "\n  deadline: 4h\n  jitter: " + (chance(2) ? "1s" : "10m") + "\n  retries: {times: " + std::to_string(engine_() % 4) + ", wait: 2m}\n" +
                   "  retention: " + t.rule.document() + "\n" + (t.lock_ms == 0 ? "" : "  lock: " + std::to_string(t.lock_ms / kDay) + "d\n");
      tiers_.push_back(t);
    }
  }

  SimulatedOutcome outcome() {
    SimulatedOutcome o;
    o.takes_ms = static_cast<int64_t>(engine_() % 30) * kMinute;
    if (chance(40)) o.takes_ms = 30 * kHour;  // it hangs
    const uint64_t kind = bad_spell_ ? 2 : engine_() % 20;
    if (kind < 2) o.phase = "Failed";
    if (kind == 2) o.phase = "PartiallyFailed";
    if (kind == 3) o.begins = error(Code::kUnavailable, "not yet");
    if (kind == 4 && chance(4)) o.begins = error(Code::kFailedPrecondition, "no such cluster");
    return o;
  }

  void restart() {
    scheduler_ = std::make_unique<Scheduler>(SchedulerParts{&settings_, &clusters_, &clock_, &random_, [this] { return may_remove_; }, {}, {}});
    scheduler_->load();
  }

  // Whatever happens next.
  void pass() {
    int64_t wait = std::max<int64_t>(scheduler_->step(), 1);
    if (++passes_ % 8 == 0) look();  // before they are forgotten
    if (const auto ends = clusters_.next_end_ms()) wait = std::clamp<int64_t>(*ends - clock_.monotonic_ms(), 1, wait);
    clock_.advance(wait);
    scheduler_->wake();
  }

  void turn() {
    pass();
    const uint64_t fate = engine_() % 3'000;
    if (fate == 0) clock_.jump_wall(static_cast<int64_t>(engine_() % (3 * kDay)));  // the host slept, or its clock was behind
    if (fate == 1 && clock_goes_back_) clock_.jump_wall(-static_cast<int64_t>(engine_() % (2 * kDay)));
    if (fate == 2 && clock_goes_back_ && !ahead_) {
      ahead_ = true;
      clock_.jump_wall(400 * kDay);
    } else if (fate < 4 && ahead_) {
      ahead_ = false;
      clock_.jump_wall(-400 * kDay);
    }
    if (fate > 3 && fate < 10) {
      clusters_.crash(chance(2));
      restart();
    }
    if (fate == 11) bad_spell_ = !bad_spell_;
    if (fate == 10) may_remove_ = !may_remove_;
    if (clock_.monotonic_ms() >= next_retention_ms_) check_retention();
  }

  void look() {
    const auto policy = scheduler_->policy("p");
    ASSERT_TRUE(policy);
    for (size_t i = 0; i < tiers_.size(); ++i) {
      for (const PolicyRun& run : policy->tiers[i].runs) tiers_[i].runs[run.id] = run;
      ASSERT_LE(policy->tiers[i].runs.size(), 32U);
    }
  }

  void check_retention() {
    next_retention_ms_ = clock_.monotonic_ms() + 2 * kDay;
    std::set<std::string> expected;
    const std::vector<OwnedPoint> before = clusters_.points("c").value();
    for (const OwnedPoint& p : before) {
      if (!may_remove_) expected.insert(p.point.name);
    }
    for (const ModelTier& t : tiers_) expected.merge(should_stay(t, before, clock_.wall_ms()));
    scheduler_->remove_expired({});
    std::set<std::string> left;
    const std::vector<OwnedPoint> after = clusters_.points("c").value();
    for (const OwnedPoint& p : after) left.insert(p.point.name);
    ASSERT_EQ(expected, left) << document_;
  }

  // No more faults: everything comes to rest, and runs go on.
  void settle() {
    clusters_.outcome = [] { return SimulatedOutcome(); };
    settings_.fails = {};
    may_remove_ = true;
    bad_spell_ = false;
    if (ahead_) clock_.jump_wall(-400 * kDay);
    const int64_t end_ms = clock_.monotonic_ms() + 70 * kDay;
    while (clock_.monotonic_ms() < end_ms && !testing::Test::HasFailure()) pass();
    scheduler_->step();
    look();
    check_retention();
  }

  void account() const {
    for (const ModelTier& t : tiers_) {
      SCOPED_TRACE(t.schedule + "\n" + document_);
      uint64_t accounted = 0;
      bool counted_all = true;
      ASSERT_FALSE(t.runs.empty());
      uint64_t id = 0;
      for (const auto& [number, run] : t.runs) {
        ASSERT_EQ(++id, number) << "a run was never seen";
        accounted += 1 + run.missed;
        counted_all = counted_all && run.missed < 99;
        EXPECT_LE(run.attempt, 5U);
        if (run.state == PolicyRun::State::kCompleted) {
          EXPECT_FALSE(run.backup.empty());
        }
        if (run.open()) {
          EXPECT_GT(run.due_ms, clock_.wall_ms() - kHour) << run.id << " never ended";
        }
      }
      const auto times = k8s::Cron::parse(t.schedule);
      // The last time that came was seen to.
      const auto last_ms = times->last(clock_.wall_ms() - 35 * kDay, clock_.wall_ms() - kHour);
      ASSERT_TRUE(last_ms);
      if (!t.schedule.starts_with("@every")) EXPECT_GE(t.runs.rbegin()->second.due_ms, *last_ms);
      else EXPECT_GT(t.runs.rbegin()->second.due_ms, clock_.wall_ms() - 6 * kHour);
      // Without a clock that went back each time comes once, and so is there once.
      if (clock_goes_back_ || !counted_all || t.schedule.starts_with("@every")) continue;
      uint64_t due = 0;
      for (auto next = times->next(t.since_ms); next && *next <= t.runs.rbegin()->second.due_ms; next = times->next(*next)) ++due;
      EXPECT_EQ(due, accounted);
    }
  }

  std::mt19937_64 engine_;
  SeededRandom random_;
  ManualClock clock_;
  MemorySettings settings_;
  SimulatedClusters clusters_;
  const int64_t days_;
  std::string document_;
  std::vector<ModelTier> tiers_;
  std::unique_ptr<Scheduler> scheduler_;
  bool may_remove_ = true, bad_spell_ = false;
  const bool clock_goes_back_ = chance(2);
  bool ahead_ = false;  // it was set wrong by far, and will be put right
  uint64_t passes_ = 0;
  int64_t next_retention_ms_ = 0;
};

TEST(Policies, AYearWithFaults) {
  spdlog::set_level(spdlog::level::off);
  const uint64_t one = setting("HOLDFAST_SEED", 0);
  uint64_t count = one != 0 ? 1 : setting("HOLDFAST_YEAR_SEEDS", 200);
  const auto days = static_cast<int64_t>(setting("HOLDFAST_YEARS", 1) * 365);
  for (uint64_t seed = one != 0 ? one : 1; count-- > 0 && !HasFailure(); ++seed) {
    SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
    Year(seed, days).run();
    test::tell_progress(seed);
  }
}

}  // namespace
}  // namespace holdfast
