// Bundles that open with the recovery key alone, and one appliance that acts of all that have one identity.
#include <gtest/gtest.h>

#include <random>

#include "daemon/identity.h"
#include "daemon/recovery/local_recovery.h"
#include "storage/crypto/key_file.h"
#include "tests/support/memory_remote.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

// One host with its own pool, beside others that reach the same sites.
class Appliance {
 public:
  Appliance(std::map<std::string, std::shared_ptr<MemoryRemote>>& sites, std::string host, uint64_t seed) : sites_(sites), host_(std::move(host)), random_(seed), fixture_({.seed = seed}) {
    EXPECT_TRUE(fixture_.open());
  }

  // As at a start of the daemon.
  void start() {
    RecoveryParts parts;
    parts.settings = &store();
    parts.users = &store();
    parts.buckets = &store();
    parts.clock = &fixture_.clock();
    parts.random = &random_;
    const Superblock& s = fixture_.pool().superblock();
    if (sealed_) parts.keys = BundleKeys{*fixture_.pool().volume().pool_key, s.key_by_recovery, std::string(as_text(s.layout.pool_id))};
    parts.host = host_;
    parts.sites = [this] {
      std::vector<RecoverySite> out;
      for (const auto& [name, site] : sites_) out.push_back({name, [site = site]() -> Result<std::shared_ptr<RemoteStore>> { return std::static_pointer_cast<RemoteStore>(site); }});
      return out;
    };
    parts.takes_conditional_writes = [](RemoteStore& site) { return dynamic_cast<MemoryRemote&>(site).takes_conditions; };
    parts.on_change = [this](bool active) { changes_.push_back(active); };
    recovery_ = std::make_unique<LocalRecovery>(std::move(parts));
    ASSERT_TRUE(recovery_->load());
  }

  void pass() { recovery_->pass({}); }
  // A minute later, when everything may be sent again.
  void pass_later() {
    fixture_.clock().advance(60'000);
    pass();
  }

  Store& store() { return fixture_.store(); }
  LocalRecovery& recovery() { return *recovery_; }
  std::string key_text() const { return recovery_key_text(fixture_.recovery_key()); }
  const SecretKey& key() const { return fixture_.recovery_key(); }
  ManualClock& clock() { return fixture_.clock(); }
  std::vector<bool> changes_;
  bool sealed_ = true;

 private:
  std::map<std::string, std::shared_ptr<MemoryRemote>>& sites_;
  const std::string host_;
  SeededRandom random_;
  StoreFixture fixture_;
  std::unique_ptr<LocalRecovery> recovery_;
};

class RecoveryTest : public testing::Test {
 protected:
  void SetUp() override {
    sites_["dr"] = std::make_shared<MemoryRemote>();
    ASSERT_TRUE(first_.store().put_setting("cluster/prod", "{\"access\":\"secret of prod\"}"));
    ASSERT_TRUE(first_.store().put_setting("policy/shop", "every hour"));
    ASSERT_TRUE(first_.store().put_setting("site/dr", "its secret"));
    User user;
    user.access_key = "AKADMIN";
    user.secret = "secret of the admin";
    user.role = Role::kAdmin;
    user.scopes = {"holdfast/a", "b"};
    ASSERT_TRUE(first_.store().put_user(user));
    Bucket bucket;
    bucket.name = "holdfast";
    bucket.versioning = Versioning::kEnabled;
    bucket.lock_enabled = true;
    bucket.default_retention = {LockMode::kGovernance, 7, 0};
    bucket.tags = {{"of", "prod"}};
    ASSERT_TRUE(first_.store().create_bucket(bucket, ""));
    ASSERT_TRUE(first_.store().change_bucket("holdfast", [&](Bucket& b) -> Result<void> {
      b.default_retention = bucket.default_retention;
      b.tags = bucket.tags;
      return {};
    }));
    first_.start();
  }

  MemoryRemote& site() { return *sites_["dr"]; }

  std::vector<BundleName> bundles() {
    auto names = list_bundles(site(), "");
    EXPECT_TRUE(names);
    return names.value_or(std::vector<BundleName>());
  }

  // What a blank host makes of the newest bundle.
  void recover_into(Appliance& blank) {
    const auto opened = open_bundle(site().objects()[bundles().back().key()], first_.key());
    ASSERT_TRUE(opened) << opened.error().message();
    ASSERT_TRUE(take_over(opened->content, blank.store(), blank.store(), blank.store()));
    ASSERT_TRUE(start_on_standby(blank.store(), opened->header.generation, "dr"));
    blank.start();
  }

  std::map<std::string, std::shared_ptr<MemoryRemote>> sites_;
  Appliance first_{sites_, "first", 1}, second_{sites_, "second", 2}, third_{sites_, "third", 3};
};

TEST_F(RecoveryTest, ABundleBringsEverythingBack) {
  first_.pass();
  ASSERT_EQ(1U, bundles().size());
  recover_into(second_);
  EXPECT_EQ("{\"access\":\"secret of prod\"}", second_.store().setting("cluster/prod").value_or(""));
  EXPECT_EQ("every hour", second_.store().setting("policy/shop").value_or(""));
  const auto user = second_.store().user("AKADMIN");
  ASSERT_TRUE(user);
  EXPECT_EQ("secret of the admin", user->secret);
  EXPECT_EQ(Role::kAdmin, user->role);
  EXPECT_EQ((std::vector<std::string>{"holdfast/a", "b"}), user->scopes);
  const auto bucket = second_.store().bucket("holdfast");
  ASSERT_TRUE(bucket);
  EXPECT_EQ(Versioning::kEnabled, bucket->versioning);
  EXPECT_TRUE(bucket->lock_enabled);
  EXPECT_EQ((DefaultRetention{LockMode::kGovernance, 7, 0}), bucket->default_retention);
  ASSERT_EQ(1U, bucket->tags.size());
  EXPECT_EQ("prod", bucket->tags[0].second);
  EXPECT_EQ(first_.recovery().status().appliance, second_.recovery().status().appliance);
  EXPECT_EQ(ApplianceState::kStandby, second_.recovery().status().state);
}

TEST_F(RecoveryTest, NothingSecretLiesAtTheSite) {
  first_.pass();
  for (const auto& [key, body] : site().objects()) {
    for (const char* secret : {"secret of", "its secret", "AKADMIN", "prod", "shop"}) {
      EXPECT_EQ(std::string::npos, body.find(secret)) << key;
      EXPECT_EQ(std::string::npos, key.find(secret)) << key;
    }
  }
}

TEST_F(RecoveryTest, AnotherKeyOpensNothing) {
  first_.pass();
  SeededRandom random(99);
  const SecretKey other = SecretKey::random(random);
  const auto opened = open_bundle(site().objects()[bundles().back().key()], other);
  ASSERT_FALSE(opened);
  EXPECT_EQ(Code::kPermissionDenied, opened.error().code());
  const auto report = first_.recovery().check_bundle("dr", recovery_key_text(other));
  ASSERT_FALSE(report);
  EXPECT_EQ(Code::kPermissionDenied, report.error().code());
  EXPECT_EQ(Code::kInvalidArgument, first_.recovery().check_bundle("dr", "no key at all").error().code());
}

TEST_F(RecoveryTest, AFlippedBitIsFound) {
  first_.pass();
  const std::string sealed = site().objects()[bundles().back().key()];
  std::mt19937_64 random(7);
  for (int i = 0; i < 400; ++i) {
    std::string bad = sealed;
    const size_t at = i < 200 ? random() % (bad.find('\n') + 1) : random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    const auto opened = open_bundle(bad, first_.key());
    EXPECT_FALSE(opened) << "byte " << at;
  }
  for (size_t size : {size_t{0}, size_t{1}, sealed.find('\n'), sealed.find('\n') + 1, sealed.size() - 1}) EXPECT_FALSE(open_bundle(sealed.substr(0, size), first_.key())) << size;
}

// Whoever can write to the bucket cannot pass old settings off as new ones.
TEST_F(RecoveryTest, AnOlderBundleUnderANewerNameIsNone) {
  first_.pass();
  ASSERT_TRUE(first_.store().put_setting("policy/n", "1"));
  first_.pass_later();
  const auto names = bundles();
  ASSERT_EQ(2U, names.size());
  for (BundleName forged : {BundleName{names[1].appliance, names[1].generation, 3, names[0].digest}, BundleName{names[1].appliance, names[1].generation + 1, 1, names[0].digest}, BundleName{"holdfast-0", 1, 1, names[0].digest}}) {
    site().set(forged.key(), site().objects()[names[0].key()]);
    const auto fetched = fetch_bundle(site(), forged, first_.key());
    ASSERT_FALSE(fetched) << forged.key();
    EXPECT_EQ(Code::kCorrupt, fetched.error().code());
  }
  EXPECT_TRUE(fetch_bundle(site(), names[1], first_.key()));
  const auto report = first_.recovery().check_bundle("dr", first_.key_text());
  ASSERT_FALSE(report) << "the newest is not what it says";
}

TEST_F(RecoveryTest, ABundleOfANewerVersionSaysSo) {
  first_.pass();
  std::string sealed = site().objects()[bundles().back().key()];
  const std::string format = "\"holdfast_bundle\":1";
  sealed.replace(sealed.find(format), format.size(), "\"holdfast_bundle\":2");
  const auto opened = open_bundle(sealed, first_.key());
  ASSERT_FALSE(opened);
  EXPECT_EQ(Code::kUnimplemented, opened.error().code());
  EXPECT_NE(std::string::npos, opened.error().message().find("newer version")) << opened.error().message();
}

TEST_F(RecoveryTest, SentWhenSomethingChangesButOnceAMinute) {
  first_.pass();
  first_.pass_later();
  EXPECT_EQ(1U, bundles().size()) << "nothing has changed";
  ASSERT_TRUE(first_.store().put_setting("policy/other", "x"));
  first_.pass();
  EXPECT_EQ(2U, bundles().size());
  ASSERT_TRUE(first_.store().put_setting("policy/other", "y"));
  first_.clock().advance(59'000);
  first_.pass();
  EXPECT_EQ(2U, bundles().size()) << "not a minute yet";
  first_.clock().advance(1'000);
  first_.pass();
  EXPECT_EQ(3U, bundles().size());
  first_.start();  // it does not know what it has sent
  first_.pass();
  EXPECT_EQ(3U, bundles().size());
}

TEST_F(RecoveryTest, TheLastTwentyAreKept) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(first_.store().put_setting("policy/n", std::to_string(i)));
    first_.pass_later();
  }
  const auto left = bundles();
  ASSERT_EQ(20U, left.size());
  EXPECT_EQ(11U, left.front().number);
  EXPECT_EQ(30U, left.back().number);
  const auto opened = open_bundle(site().objects()[left.back().key()], first_.key());
  ASSERT_TRUE(opened);
  EXPECT_EQ("29", opened->content.settings.at("policy/n"));
}

TEST_F(RecoveryTest, ABundleThatIsLostOrChangedOnTheWayIsAProblem) {
  for (const Mishap mishap : {Mishap::kLost, Mishap::kOtherBytes, Mishap::kRefused}) {
    site().mishap = [&](const std::string& call) { return call.starts_with("put holdfast/bundles/") ? mishap : Mishap::kNone; };
    ASSERT_TRUE(first_.store().put_setting("policy/n", std::to_string(static_cast<int>(mishap))));
    first_.pass_later();
    ASSERT_EQ(1U, first_.recovery().alarms().size());
    EXPECT_NE(std::string::npos, first_.recovery().alarms()[0].find("site \"dr\""));
  }
  site().mishap = nullptr;
  first_.pass_later();
  EXPECT_TRUE(first_.recovery().alarms().empty());
  EXPECT_TRUE(open_bundle(site().objects()[bundles().back().key()], first_.key()));
}

TEST_F(RecoveryTest, CheckSaysWhatTheBundleLacks) {
  EXPECT_EQ(Code::kNotFound, first_.recovery().check_bundle("dr", first_.key_text()).error().code());
  EXPECT_EQ(Code::kNotFound, first_.recovery().check_bundle("other", first_.key_text()).error().code());
  first_.pass();
  auto report = first_.recovery().check_bundle("dr", first_.key_text());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(std::vector<std::string>{"prod"}, report->clusters);
  EXPECT_EQ(std::vector<std::string>{"shop"}, report->policies);
  EXPECT_EQ(std::vector<std::string>{"dr"}, report->sites);
  EXPECT_EQ(std::vector<std::string>{"holdfast"}, report->buckets);
  EXPECT_EQ(std::vector<std::string>{"AKADMIN"}, report->users);
  EXPECT_TRUE(report->lacks.empty());
  ASSERT_TRUE(first_.store().put_setting("cluster/two", "x"));
  ASSERT_TRUE(first_.store().put_setting("policy/shop", "every day"));
  report = first_.recovery().check_bundle("dr", first_.key_text());
  ASSERT_TRUE(report);
  EXPECT_EQ((std::vector<std::string>{"cluster \"two\" is not in it", "policy \"shop\" is in it as it was before"}), report->lacks);
}

TEST_F(RecoveryTest, APoolWithoutEncryptionSendsNothingAndSaysSo) {
  first_.sealed_ = false;
  first_.start();
  first_.pass();
  EXPECT_TRUE(bundles().empty());
  ASSERT_EQ(1U, first_.recovery().alarms().size());
  EXPECT_NE(std::string::npos, first_.recovery().alarms()[0].find("not encrypted"));
  EXPECT_TRUE(first_.recovery().is_active());
}

TEST_F(RecoveryTest, OnlyTheOneThatWasActivatedActs) {
  EXPECT_FALSE(first_.recovery().is_active()) << "before the first look";
  first_.pass();
  EXPECT_TRUE(first_.recovery().is_active());
  recover_into(second_);
  second_.pass();
  EXPECT_FALSE(second_.recovery().is_active());
  EXPECT_FALSE(second_.recovery().confirm("dr", site()));
  ASSERT_TRUE(second_.recovery().activate({}));
  second_.pass();
  EXPECT_TRUE(second_.recovery().is_active());
  EXPECT_EQ((std::vector<bool>{false, true}), second_.changes_);
  EXPECT_EQ(2U, second_.recovery().status().generation);

  // The first one is told at its next write, whatever that is.
  const size_t before = bundles().size();
  ASSERT_TRUE(first_.store().put_setting("policy/n", "1"));
  first_.pass_later();
  EXPECT_FALSE(first_.recovery().is_active());
  EXPECT_EQ(ApplianceState::kSuperseded, first_.recovery().status().state);
  EXPECT_EQ((std::vector<bool>{true, false}), first_.changes_);
  EXPECT_EQ(before, bundles().size());
  ASSERT_EQ(1U, first_.recovery().alarms().size());
  EXPECT_NE(std::string::npos, first_.recovery().alarms()[0].find("second")) << first_.recovery().alarms()[0];
  // And stays so when it starts again while the site is not reached.
  site().mishap = [](const std::string&) { return Mishap::kRefused; };
  first_.start();
  first_.pass();
  EXPECT_FALSE(first_.recovery().is_active());
}

TEST_F(RecoveryTest, AWriteIsRefusedBeforeTheNextLook) {
  first_.pass();
  recover_into(second_);
  ASSERT_TRUE(second_.recovery().activate({}));
  const auto confirmed = first_.recovery().confirm("dr", site());
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(Code::kFailedPrecondition, confirmed.error().code());
  EXPECT_FALSE(first_.recovery().is_active());
}

TEST_F(RecoveryTest, ThereAndBackAgain) {
  first_.pass();
  recover_into(second_);
  ASSERT_TRUE(second_.recovery().activate({}));
  ASSERT_TRUE(second_.store().put_setting("policy/made-there", "x"));
  second_.pass_later();
  recover_into(third_);
  EXPECT_EQ("x", third_.store().setting("policy/made-there").value_or(""));
  ASSERT_TRUE(third_.recovery().activate({}));
  EXPECT_EQ(3U, third_.recovery().status().generation);
  second_.pass_later();
  third_.pass();
  EXPECT_FALSE(second_.recovery().is_active());
  EXPECT_TRUE(third_.recovery().is_active());
  // One that was superseded may be called back.
  ASSERT_TRUE(second_.recovery().activate({}));
  third_.pass_later();
  EXPECT_FALSE(third_.recovery().is_active());
}

TEST_F(RecoveryTest, LivesOfTheRecoveredAreBeyondAllOfBefore) {
  uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    const auto life = begin_life(first_.store());
    ASSERT_TRUE(life);
    EXPECT_GT(*life, last);
    last = *life;
  }
  first_.pass();
  recover_into(second_);
  ASSERT_TRUE(second_.recovery().activate({}));
  const auto life = begin_life(second_.store());
  ASSERT_TRUE(life);
  EXPECT_GT(*life, last + 1'000'000) << "the first one may have been started again since the bundle";
}

TEST_F(RecoveryTest, OfTwoThatAreActivatedAtOnceOneActs) {
  first_.pass();
  recover_into(second_);
  recover_into(third_);
  // Between the look and the write of the second one the third one comes.
  bool entered = false;
  site().mishap = [&](const std::string& call) {
    if (call.starts_with("put holdfast/claims/") && !entered) {
      entered = true;
      EXPECT_TRUE(third_.recovery().activate({}));
    }
    return Mishap::kNone;
  };
  const auto activated = second_.recovery().activate({});
  ASSERT_FALSE(activated);
  EXPECT_NE(std::string::npos, activated.error().message().find("third")) << activated.error().message();
  site().mishap = nullptr;
  second_.pass();
  third_.pass();
  EXPECT_FALSE(second_.recovery().is_active());
  EXPECT_TRUE(third_.recovery().is_active());
}

TEST_F(RecoveryTest, WithoutConditionalWritesThatIsAcceptedByName) {
  site().takes_conditions = false;
  first_.pass();
  recover_into(second_);
  auto activated = second_.recovery().activate({});
  ASSERT_FALSE(activated);
  EXPECT_NE(std::string::npos, activated.error().message().find("advisory")) << activated.error().message();
  EXPECT_FALSE(second_.recovery().activate({"other"}));
  ASSERT_TRUE(second_.recovery().activate({"dr"}));
  second_.pass();
  first_.pass_later();
  EXPECT_TRUE(second_.recovery().is_active());
  EXPECT_FALSE(first_.recovery().is_active());
}

TEST_F(RecoveryTest, ASiteThatIsNotReachedIsAcceptedByNameAndClaimedLater) {
  sites_["far"] = std::make_shared<MemoryRemote>();
  first_.pass();
  recover_into(second_);
  sites_["far"]->mishap = [](const std::string&) { return Mishap::kRefused; };
  const auto refused = second_.recovery().activate({});
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string::npos, refused.error().message().find("\"far\""));
  EXPECT_EQ(std::string::npos, refused.error().message().find("\"dr\""));
  ASSERT_TRUE(second_.recovery().activate({"far"}));
  sites_["far"]->mishap = nullptr;
  second_.pass();
  const auto standing = read_claim(*sites_["far"], second_.recovery().status().appliance);
  ASSERT_TRUE(standing && *standing);
  EXPECT_EQ(2U, (*standing)->claim.generation);
}

TEST_F(RecoveryTest, AnAnswerThatIsLostDoesNotLoseTheClaim) {
  int lost = 0;
  site().mishap = [&](const std::string& call) { return call.starts_with("put holdfast/claims/") && lost++ == 0 ? Mishap::kAnswerLost : Mishap::kNone; };
  EXPECT_FALSE(first_.recovery().confirm("dr", site())) << "the site failed";
  EXPECT_TRUE(first_.recovery().confirm("dr", site()));
  EXPECT_EQ(1, lost);
}

TEST_F(RecoveryTest, AClaimThatNobodyCanReadStopsWritesAndIsNamed) {
  first_.pass();
  site().set(claim_key(first_.recovery().status().appliance), "nonsense");
  first_.pass_later();
  EXPECT_TRUE(first_.recovery().is_active()) << "nobody is known to act instead";
  ASSERT_EQ(1U, first_.recovery().alarms().size());
  EXPECT_NE(std::string::npos, first_.recovery().alarms()[0].find("holdfast/claims/")) << first_.recovery().alarms()[0];
  EXPECT_FALSE(first_.recovery().confirm("dr", site()));
}

TEST_F(RecoveryTest, NothingIsActivatedTwice) {
  first_.pass();
  const auto again = first_.recovery().activate({});
  ASSERT_FALSE(again);
  EXPECT_EQ(Code::kFailedPrecondition, again.error().code());
}

TEST(BundleName, OnlyWhatLeadsBackToItself) {
  const BundleName name{"holdfast-0011223344556677", 3, 42, "abcd"};
  const auto back = bundle_of_key(name.key());
  ASSERT_TRUE(back);
  EXPECT_EQ(42U, back->number);
  EXPECT_EQ(3U, back->generation);
  for (const char* key : {"holdfast/bundles/", "holdfast/bundles/a", "holdfast/bundles/a/1,2,3", "holdfast/bundles/a/000001,000000000002", "holdfast/bundles/../000001,000000000002,x", "holdfast/units/a/000001,000000000002,x"}) {
    EXPECT_FALSE(bundle_of_key(key)) << key;
  }
}

}  // namespace
}  // namespace holdfast::test
