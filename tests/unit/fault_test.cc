// Damage, rollback, wrong keys, foreign and full devices: refused or opened read-only by name, never wrong bytes.
#include <gtest/gtest.h>

#include <thread>

#include "storage/object/index_snapshot.h"
#include "storage/object/scrub.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

StoreOptions encrypted(bool yes = true, bool prompt = false) {
  StoreOptions o;
  o.encrypted = yes;
  o.prompt = prompt;
  return o;
}

// The offset of `needle` on the device.
size_t find_on(StoreFixture& f, std::string_view needle) {
  const Bytes image = f.device().image();
  const size_t at = as_text(image).find(needle);
  EXPECT_NE(at, std::string_view::npos);
  return at;
}

TEST(Fault, AFlippedBitIsNeverServed) {
  for (const auto& [size, prompt] : {std::pair(500ul, false), std::pair(500ul, true), std::pair(150'000ul, false)}) {
    StoreFixture f(encrypted(false, prompt));
    ASSERT_TRUE(f.open());
    f.make_bucket("b");
    const std::string body = random_text(1, size);
    ASSERT_TRUE(f.put("b", "k", body));
    ASSERT_TRUE(f.put("b", "other", "fine"));
    f.device().flip_bit(find_on(f, body.substr(200, 64)), 3);
    EXPECT_EQ(f.get("b", "k").error().code(), Code::kCorrupt);
    EXPECT_EQ(*f.get("b", "other"), "fine");
    Scrubber scrubber(f.pool());
    ASSERT_TRUE(scrubber.start());
    while (scrubber.report().running) std::this_thread::yield();
    EXPECT_EQ(scrubber.report().damaged, 1u);
    EXPECT_EQ(scrubber.report().versions_checked, 2u);
    EXPECT_TRUE(scrubber.report().damage.at(0).starts_with("b/k "));
  }
}

TEST(Fault, DamageBelowTheFlushedLsnOpensReadOnlyUntilAccepted) {
  StoreFixture f(encrypted(false));
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "one", "first body"));
  ASSERT_TRUE(f.put("b", "two", "second body"));
  ASSERT_TRUE(f.put("b", "three", "third body"));
  f.close();
  f.drop_index();
  f.device().flip_bit(find_on(f, "second body"), 0);
  ASSERT_TRUE(f.open());
  EXPECT_NE(f.pool().read_only_reason(), "");
  EXPECT_EQ(*f.get("b", "one"), "first body");
  EXPECT_EQ(f.put("b", "four", "x").error().code(), Code::kFailedPrecondition);
  f.close();
  ASSERT_TRUE(f.open(true));
  EXPECT_EQ(f.pool().read_only_reason(), "");
  EXPECT_EQ(*f.get("b", "one"), "first body");
  EXPECT_EQ(f.get("b", "two").error().code(), Code::kNotFound);
  ASSERT_TRUE(f.put("b", "four", "x"));
  f.close();
  f.drop_index();
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.pool().read_only_reason(), "");
  EXPECT_EQ(*f.get("b", "four"), "x");
}

TEST(Fault, ARolledBackDeviceIsNoticedByTheIndex) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", "old"));
  ASSERT_TRUE(f.pool().settle());
  const Bytes before = f.device().image();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(f.put("b", "k", "new " + std::to_string(i)));
  f.close();
  StoreFixture rolled(encrypted(), before);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    std::filesystem::copy_file(f.index_path() + suffix, rolled.index_path() + suffix, ignored);
  }
  ASSERT_TRUE(rolled.open());
  EXPECT_NE(rolled.pool().read_only_reason(), "");
}

TEST(Fault, ACorruptOrForeignIndexIsRebuilt) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(f.put("b", "k" + std::to_string(i), "body " + std::to_string(i)));
  f.close();
  std::filesystem::resize_file(f.index_path(), std::filesystem::file_size(f.index_path()) / 2);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(*f.get("b", "k299"), "body 299");
  EXPECT_TRUE(std::filesystem::exists(f.index_path() + ".unusable"));
  StoreFixture other(encrypted());
  ASSERT_TRUE(other.open());
  other.close();
  f.close();
  std::filesystem::copy_file(other.index_path(), f.index_path(), std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(*f.get("b", "k7"), "body 7");
}

TEST(Fault, ASnapshotCarriesTheRebuild) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(f.put("b", "k" + std::to_string(i), "body " + std::to_string(i)));
  ASSERT_TRUE(f.pool().settle());
  ASSERT_TRUE(take_snapshot(f.pool(), f.index_path() + ".snapshot"));
  ASSERT_TRUE(f.remove("b", "k0"));
  ASSERT_TRUE(f.put("b", "after", "snapshot"));
  f.close();
  f.drop_index();
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.get("b", "k0").error().code(), Code::kNotFound);
  EXPECT_EQ(*f.get("b", "k49"), "body 49");
  EXPECT_EQ(*f.get("b", "after"), "snapshot");
}

TEST(Fault, KeysDecideWhoOpens) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", "secret"));
  f.close();
  SystemClock clock;
  SystemRandom random;
  TempDir dir;
  PoolOpenOptions open;
  open.index_path = dir.path("i");
  open.background = false;
  open.master_key = *SecretKey::from_bytes(Bytes(32, std::byte{9}));
  EXPECT_EQ(Pool::open(std::make_unique<BorrowedDevice>(f.device()), open, clock, random).error().code(), Code::kPermissionDenied);
  open.master_key.reset();
  EXPECT_EQ(Pool::open(std::make_unique<BorrowedDevice>(f.device()), open, clock, random).error().code(), Code::kPermissionDenied);
  open.recovery_key = f.recovery_key();  // and the device alone
  auto recovered = Pool::open(std::make_unique<BorrowedDevice>(f.device()), open, clock, random);
  ASSERT_TRUE(recovered) << recovered.error().to_string();
  EXPECT_TRUE((*recovered)->catalog().bucket(std::string("b")));
}

TEST(Fault, ForeignDevicesAreRefusedByName) {
  SimDevice blank(64 << 20);
  SystemClock clock;
  SystemRandom random;
  PoolOpenOptions open;
  const auto refused = Pool::open(std::make_unique<BorrowedDevice>(blank), open, clock, random);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kNotFound);
  EXPECT_NE(refused.error().message().find("sim"), std::string::npos);
  EXPECT_EQ(blank.operations(), 0);
  StoreFixture f(encrypted());
  PoolCreateOptions again;
  again.name = "again";
  again.encrypted = false;
  const int64_t before = f.device().operations();
  const auto twice = Pool::create(f.device(), again, clock, random);
  EXPECT_EQ(twice.error().code(), Code::kAlreadyExists);
  EXPECT_NE(twice.error().message().find("\"test\""), std::string::npos);
  EXPECT_EQ(f.device().operations(), before);
}

TEST(Fault, AnOpenThatLosesTheDeviceToAnotherHostStops) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  // Another host opens the same device, as after a takeover.
  SystemClock clock;
  SystemRandom random;
  TempDir dir;
  PoolOpenOptions open;
  open.index_path = dir.path("i");
  open.recovery_key = f.recovery_key();
  open.background = false;
  auto other = Pool::open(std::make_unique<BorrowedDevice>(f.device()), open, clock, random);
  ASSERT_TRUE(other);
  f.device().fail_next_flush();
  EXPECT_FALSE(f.put("b", "k", "x"));  // this host's session broke
  const auto refused = f.put("b", "k", "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
}

TEST(Fault, AFullDeviceRefusesAndRecovers) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", "kept"));
  f.device().set_full(true);
  EXPECT_FALSE(f.put("b", "x", "y"));
  EXPECT_EQ(*f.get("b", "k"), "kept");
  f.device().set_full(false);
  EXPECT_TRUE(f.put("b", "x", "y"));
  EXPECT_EQ(*f.get("b", "x"), "y");
}

TEST(Fault, AClockThatLeapsDoesNotEndLocks) {
  StoreFixture f(encrypted());
  ASSERT_TRUE(f.open());
  f.make_bucket("b", Versioning::kEnabled, true);
  ASSERT_TRUE(f.pool().note_time());
  Attributes locked;
  locked.retention = {LockMode::kCompliance, f.clock().wall_ms() + 3600'000};
  const auto v = f.put("b", "k", "kept", {}, locked);
  ASSERT_TRUE(v);
  f.close();
  f.clock().jump_wall(10LL * 365 * 24 * 3600 * 1000);
  ASSERT_TRUE(f.open());
  EXPECT_TRUE(f.pool().time().unconfirmed());
  EXPECT_EQ(f.remove("b", "k", {v->seq, false}).error().subject(), Subject::kLock);
  f.pool().time().confirm();
  EXPECT_TRUE(f.remove("b", "k", {v->seq, false}));
}

}  // namespace
}  // namespace holdfast::test
