// A year of policies that copy to another site, under simulated time: backups that fail, a daemon that is killed, a link that is cut in the middle, a site
// that refuses, loses what it took and alters it. No restore point goes here before its copy is there; at the site everything is whole, and
// what is there in the end is what the rules say, against a plain model. HOLDFAST_COPY_SEEDS, HOLDFAST_YEARS and HOLDFAST_SEED say how much.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "daemon/replicator/replicator.h"
#include "daemon/scheduler/scheduler.h"
#include "storage/base/log.h"
#include "storage/base/times.h"
#include "tests/support/memory_remote.h"
#include "tests/support/plain_rules.h"
#include "tests/support/point_objects.h"

namespace holdfast::test {
namespace {

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

struct ModelTier {
  std::string name;
  PlainRule here, there;
  bool latest = false;
  int64_t lock_days = 0;
};

class Year {
 public:
  Year(uint64_t seed, int64_t days) : engine_(seed), random_(seed), clock_(*parse_iso8601("2026-01-15T10:20:30Z")), days_(days) {}

  void run() {
    site_->locks = chance(2);
    site_->mishap = [this](const std::string& call) { return mishap(call); };
    clusters_.outcome = [this] { return outcome(); };
    RegisteredSite registered;
    registered.status.name = "dr";
    registered.place.url = "http://far";
    ASSERT_TRUE(SiteRegistry(settings_).put(registered));
    site_->set("holdfast/units/other/b,20260101T000000Z,never,somebody,p,t0", "of another appliance");
    make_policy();
    restart();
    const auto applied = scheduler_->apply_policy(document_);
    ASSERT_TRUE(applied) << applied.error().message() << document_;
    const int64_t end_ms = clock_.monotonic_ms() + days_ * kDay;
    while (clock_.monotonic_ms() < end_ms && !testing::Test::HasFailure()) turn();
    settle();
    if (!testing::Test::HasFailure()) check_end();
  }

 private:
  bool chance(uint64_t one_in) { return engine_() % one_in == 0; }

  PlainRule rule() {
    PlainRule r;
    r.last = engine_() % 3;
    r.daily = engine_() % 5;
    r.monthly = engine_() % 4;
    r.keep_for_ms = static_cast<int64_t>(1 + engine_() % 12) * kDay;
    return r;
  }

  void make_policy() {
    document_ = "name: p\ncluster: c\ntiers:\n";
    static const char* const kTimes[] = {"15 3 */2 * *", "@every 45h", "0 2 * * 0", "0 6,18 * * 1,4", "0 0 1,15 * *"};
    for (size_t i = 0; i < 1 + engine_() % 2; ++i) {
      ModelTier t{"t" + std::to_string(i), rule(), rule(), chance(4)};
      if (site_->locks && chance(2)) t.lock_days = static_cast<int64_t>(1 + engine_() % 30);
      document_ += "- name: " + t.name + "\n  schedule: '" + kTimes[engine_() % std::size(kTimes)] + "'\n  retention: " + t.here.document() + "\n  copies:\n  - {site: dr, mode: " + (t.latest ? "latest" : "all") +
                   ", retention: " + t.there.document() + (t.lock_days == 0 ? "" : ", lock: " + std::to_string(t.lock_days) + "d") + "}\n";
      tiers_.push_back(std::move(t));
    }
  }

  SimulatedOutcome outcome() {
    SimulatedOutcome o;
    o.takes_ms = static_cast<int64_t>(1 + engine_() % 20) * kMinute;
    const uint64_t kind = settled_ ? 9 : engine_() % 15;
    if (kind == 0) o.phase = "Failed";
    if (kind == 1) o.phase = "PartiallyFailed";
    return o;
  }

  // Asked on the thread that copies, while the test waits for it.
  Mishap mishap(const std::string& call) {
    if (call.starts_with("put ")) ++sent_;
    if (settled_) return Mishap::kNone;
    if (unreachable_) return Mishap::kRefused;
    const uint64_t kind = engine_() % 600;
    if (kind == 0) unreachable_ = true;  // in the middle of whatever it is
    if (kind < 4) return Mishap::kRefused;
    if (kind < 7) return Mishap::kAnswerLost;
    if (kind < 9 && call.starts_with("put ")) return Mishap::kLost;
    // A marker that arrives altered is found by reading it again, and written anew; but not by a daemon that was killed in between.
    if (kind < 11 && call.starts_with("put ") && !call.starts_with("put holdfast/units/")) return Mishap::kOtherBytes;
    return Mishap::kNone;
  }

  void restart() {
    replicator_.reset();
    SchedulerParts parts{&settings_, &clusters_, &clock_, &random_, [this] { return may_remove_; }, {}, {}};
    parts.why_it_stays = [this](const Policy&, const OwnedPoint& p) { return std::string(replicator_->copy_is_due(p.policy, p.tier, p.point.name) ? "its copy is due" : ""); };
    parts.on_new_point = [this] { copy_soon_ = true; };
    scheduler_ = std::make_unique<Scheduler>(std::move(parts));
    scheduler_->load();
    ReplicatorParts copies;
    copies.settings = &settings_;
    copies.objects = &objects_;
    copies.clusters = &point_clusters_;
    copies.clock = &clock_;
    copies.random = &random_;
    copies.appliance_id = "holdfast-1";
    copies.orders = [this] { return scheduler_->copy_orders(); };
    copies.may_remove = [this] { return may_remove_; };
    copies.on_news = [this](const std::string& policy) { scheduler_->look_at_points(policy); };
    copies.is_active = [] { return true; };
    copies.confirm = [](const std::string&, RemoteStore&) -> Result<void> { return {}; };
    copies.limits.transfers = 1;  // one thread at a time: the same seed, the same year
    copies.open = [this](const RemotePlace&) -> Result<std::shared_ptr<RemoteStore>> { return std::static_pointer_cast<RemoteStore>(site_); };
    replicator_ = std::make_unique<Replicator>(std::move(copies));
  }

  // A pass, and everything that it lined up; then another one, which sees what was sent.
  void copy() {
    copy_soon_ = false;
    const uint64_t sent_before = sent_;
    replicator_->pass({});
    ASSERT_TRUE(replicator_->wait_idle("dr", std::chrono::seconds(60)));
    if (sent_ == sent_before) return;
    replicator_->pass({});
    ASSERT_TRUE(replicator_->wait_idle("dr", std::chrono::seconds(60)));
  }

  void turn() {
    int64_t wait = std::max<int64_t>(scheduler_->step(), 1);
    if (const auto ends = clusters_.next_end_ms()) wait = std::clamp<int64_t>(*ends - clock_.monotonic_ms(), 1, wait);
    clock_.advance(std::min(wait, 16 * kHour));
    site_->clock_ms = clock_.wall_ms();
    scheduler_->wake();
    scheduler_->step();
    if (copy_soon_ || chance(8)) copy();
    const uint64_t fate = settled_ ? 1'000 : engine_() % 200;
    if (fate < 8) unreachable_ = false;
    if (fate == 8) {
      clusters_.crash(chance(2));
      restart();
    }
    if (fate == 9) may_remove_ = !may_remove_;
    if (chance(5)) remove_expired();
  }

  std::vector<SiteUnit> units(const std::string& tier) const {
    std::vector<SiteUnit> out;
    for (const std::string& key : site_->keys("holdfast/units/c/")) {
      const auto unit = unit_of_key(key);
      if (unit && unit->source == "holdfast-1" && unit->tier == tier) out.push_back(*unit);
    }
    return out;
  }

  std::vector<TierPoint> points(const std::string& tier) {
    const std::vector<OwnedPoint> all = clusters_.points("c").value();
    std::vector<TierPoint> out;
    for (const OwnedPoint& p : all) {
      if (p.tier == tier) out.push_back(p.point);
    }
    return out;
  }

  std::vector<TierPoint> good_points(const std::string& tier) {
    std::vector<TierPoint> out = points(tier);
    std::erase_if(out, [](const TierPoint& p) { return !p.ended || !p.good; });
    return out;
  }

  static std::vector<TierPoint> as_points(const std::vector<SiteUnit>& units) {
    std::vector<TierPoint> out;
    for (const SiteUnit& u : units) out.push_back({u.backup, u.started_ms, true, true, false, u.locked_until_ms});
    return out;
  }

  // Which of the good points here the site is to have, of those that are here or there.
  std::set<std::string> wanted(const ModelTier& t) {
    std::vector<TierPoint> all = as_points(units(t.name));
    std::set<std::string> names;
    for (const TierPoint& p : all) names.insert(p.name);
    for (const TierPoint& p : good_points(t.name)) {
      if (names.insert(p.name).second) all.push_back(p);
    }
    const std::set<std::string> stay = should_stay(t.there, all, clock_.wall_ms());
    const auto newest = std::max_element(all.begin(), all.end(), [](const TierPoint& a, const TierPoint& b) { return a.started_ms < b.started_ms; });
    std::set<std::string> out;
    for (const TierPoint& p : good_points(t.name)) {
      if (stay.contains(p.name) && (!t.latest || p.name == newest->name)) out.insert(p.name);
    }
    return out;
  }

  // Nothing goes here that the site is to have and has not got.
  void remove_expired() {
    std::map<std::string, std::set<std::string>> due;
    for (const ModelTier& t : tiers_) {
      std::set<std::string> missing = wanted(t);
      for (const SiteUnit& u : units(t.name)) missing.erase(u.backup);
      due[t.name] = std::move(missing);
    }
    scheduler_->remove_expired({});
    for (const auto& [tier, missing] : due) {
      std::set<std::string> left;
      for (const TierPoint& p : good_points(tier)) left.insert(p.name);
      for (const std::string& name : missing) ASSERT_TRUE(left.contains(name)) << name << " went before it was copied\n" << document_;
    }
    if (chance(4)) check_whole();
  }

  // A marker promises every byte; velero-backup.json everything but the marker.
  void check_whole() const {
    const auto there = site_->objects();
    for (const auto& [key, body] : there) {
      if (key.starts_with("holdfast/units/c/")) {
        const auto unit = unit_of_key(key);
        ASSERT_TRUE(unit) << key;
        const auto named = contents_of_marker(body);
        ASSERT_TRUE(named) << key;
        ASSERT_EQ(2U, named->objects.size()) << key;
        for (const UnitObject& o : named->objects) {
          const auto object = there.find(kPointsPrefix + o.key);
          ASSERT_TRUE(object != there.end()) << o.key << " is missing\n" << document_;
          ASSERT_EQ(point_body(kPointsPrefix + o.key), object->second);
          ASSERT_GE(site_->locked_until(object->first), unit->locked_until_ms) << object->first;
        }
      }
      if (key.ends_with("/velero-backup.json")) {
        const std::string name = key.substr((kPointsPrefix + "backups/").size(), key.size() - (kPointsPrefix + "backups/").size() - std::string("/velero-backup.json").size());
        ASSERT_TRUE(there.contains(kPointsPrefix + "backups/" + name + "/" + name + ".tar.gz")) << key << " promises what is not there";
      }
    }
  }

  // No more faults: everything comes to rest.
  void settle() {
    settled_ = may_remove_ = true;
    unreachable_ = false;
    const int64_t end_ms = clock_.monotonic_ms() + 40 * kDay;
    while (clock_.monotonic_ms() < end_ms && !testing::Test::HasFailure()) turn();
    for (int i = 0; i < 3; ++i) {
      copy();
      remove_expired();
    }
  }

  void check_end() {
    check_whole();
    EXPECT_TRUE(site_->objects().contains("holdfast/units/other/b,20260101T000000Z,never,somebody,p,t0"));
    for (const ModelTier& t : tiers_) {
      const auto there = units(t.name);
      const auto good = good_points(t.name);
      EXPECT_FALSE(there.empty()) << document_;
      std::set<std::string> names;
      for (const SiteUnit& u : there) names.insert(u.backup);
      EXPECT_EQ(should_stay(t.there, as_points(there), clock_.wall_ms()), names) << document_;
      for (const std::string& name : wanted(t)) EXPECT_TRUE(names.contains(name)) << name << "\n" << document_;
      EXPECT_EQ(there.size(), names.size()) << "two markers of one copy";
      for (const SiteUnit& u : there) {
        const int64_t end_ms = u.started_ms + t.lock_days * kDay;
        const bool is_here = std::any_of(good.begin(), good.end(), [&](const TierPoint& p) { return p.name == u.backup; });
        if (t.lock_days > 0 && is_here && end_ms > clock_.wall_ms() + kHour) {
          EXPECT_EQ(end_ms, u.locked_until_ms) << document_;
        }
      }
      // Here, too, there is nothing but what a rule keeps or what ended badly of late.
      const std::vector<TierPoint> here = points(t.name);
      EXPECT_EQ(should_stay(t.here, here, clock_.wall_ms()).size(), here.size()) << document_;
    }
  }

  std::mt19937_64 engine_;
  SeededRandom random_;
  ManualClock clock_;
  MemorySettings settings_;
  SimulatedClusters clusters_{clock_};
  PointObjects objects_{clusters_};
  PointClusters point_clusters_{clusters_};
  const std::shared_ptr<MemoryRemote> site_ = std::make_shared<MemoryRemote>();
  const int64_t days_;
  std::string document_;
  std::vector<ModelTier> tiers_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Replicator> replicator_;  // ends before what it asks
  uint64_t sent_ = 0;
  bool may_remove_ = true, unreachable_ = false, settled_ = false, copy_soon_ = false;
};

// Odd and even seeds, for two processors.
class Copies : public testing::TestWithParam<uint64_t> {};

TEST_P(Copies, AYearWithFaults) {
  spdlog::set_level(spdlog::level::off);
  const uint64_t one = setting("HOLDFAST_SEED", 0);
  const uint64_t first = one != 0 ? one : 1, end = one != 0 ? one + 1 : 1 + setting("HOLDFAST_COPY_SEEDS", 200);
  const auto days = static_cast<int64_t>(setting("HOLDFAST_YEARS", 1) * 365);
  for (uint64_t seed = first; seed < end && !HasFailure(); ++seed) {
    if (seed % 2 != GetParam()) continue;
    SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
    Year(seed, days).run();
    tell_progress(seed);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Copies, testing::Values(1, 0));

}  // namespace
}  // namespace holdfast::test
