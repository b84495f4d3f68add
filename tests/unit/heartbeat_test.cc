// The heartbeat of devices without reservations: one holder, found by watching, fenced by another's mark.
#include <gtest/gtest.h>

#include <thread>

#include "storage/log/heartbeat_device.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;

// A beat of the holder that had read its mark before the takeover and writes it after: it covers the new one's.
class BeatUnderWay final : public BlockDevice {
 public:
  BeatUnderWay(BlockDevice& device, int beats) : device_(device), beats_(beats) {}
  const DeviceInfo& info() const override { return device_.info(); }
  Result<void> read(uint64_t offset, MutableByteSpan out) override { return device_.read(offset, out); }
  Result<void> write(uint64_t offset, ByteSpan in) override {
    if (offset != kHeartbeatOffset || beats_-- <= 0) return device_.write(offset, in);
    AlignedBuffer held(in.size());
    HF_CHECK(device_.read(offset, held.span()));
    HF_CHECK(device_.write(offset, in));
    return device_.write(offset, held.span());
  }
  Result<void> flush() override { return device_.flush(); }
  Result<void> discard(uint64_t offset, uint64_t length) override { return device_.discard(offset, length); }
  uint64_t incarnation() const override { return device_.incarnation(); }

 private:
  BlockDevice& device_;
  int beats_;
};

class HeartbeatTest : public testing::Test {
 protected:
  Result<std::unique_ptr<HeartbeatDevice>> claim(const std::string& holder, bool take_over = false, milliseconds stale = milliseconds(60000)) {
    HeartbeatOptions o;
    o.pool_id.fill(std::byte{7});
    o.holder = holder;
    o.take_over = take_over;
    // A long watch and claim: a busy machine may keep a holder from its beat for a while.
    o.timing = {.beat = milliseconds(5), .watch = milliseconds(10000), .claim = milliseconds(250), .stale = stale};
    return HeartbeatDevice::claim(std::make_unique<BorrowedDevice>(disk_), o, random_);
  }

  // The mark of a host that died, and a takeover while `beats` of its beats were still under way.
  Result<std::unique_ptr<HeartbeatDevice>> take_over_against(int beats) {
    Bytes left;
    {
      const auto alive = claim("host-a");
      if (!alive) return error(alive.error());
      left = disk_.image();
    }
    dead_ = std::make_unique<SimDevice>(left);
    HeartbeatOptions o;
    o.pool_id.fill(std::byte{7});
    o.holder = "host-b";
    o.take_over = true;
    o.timing = {.beat = milliseconds(5), .watch = milliseconds(50), .claim = milliseconds(1), .stale = milliseconds(60000)};
    return HeartbeatDevice::claim(std::make_unique<BeatUnderWay>(*dead_, beats), o, random_);
  }

  SimDevice disk_{2 << 20};
  std::unique_ptr<SimDevice> dead_;
  SeededRandom random_{1};
  AlignedBuffer block_{4096};
};

TEST_F(HeartbeatTest, ASecondHolderIsRefusedByTheNameOfTheFirst) {
  const auto first = claim("host-a pid 1");
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_TRUE((*first)->held());
  const auto second = claim("host-b pid 2");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kPermissionDenied);
  EXPECT_NE(second.error().message().find("host-a pid 1"), std::string::npos);
  EXPECT_TRUE((*first)->write(1 << 20, block_.span()));
}

TEST_F(HeartbeatTest, AReleasedDeviceIsFreeAndALeftMarkIsWatched) {
  ASSERT_TRUE(claim("host-a"));
  ASSERT_TRUE(claim("host-b"));
  Bytes left;
  {
    const auto alive = claim("host-c");
    ASSERT_TRUE(alive);
    left = disk_.image();  // as the disk is when the host dies
  }
  SimDevice dead(left);
  HeartbeatOptions o;
  o.pool_id.fill(std::byte{7});
  o.timing = {.beat = milliseconds(5), .watch = milliseconds(50), .claim = milliseconds(10), .stale = milliseconds(60000)};
  EXPECT_TRUE(HeartbeatDevice::claim(std::make_unique<BorrowedDevice>(dead), o, random_));
}

TEST_F(HeartbeatTest, WhoIsTakenOverWritesNothingMore) {
  const auto first = claim("host-a");
  ASSERT_TRUE(first);
  const auto second = claim("host-b", true);
  ASSERT_TRUE(second) << second.error().to_string();
  while ((*first)->held()) std::this_thread::yield();
  EXPECT_EQ((*first)->write(1 << 20, block_.span()).error().code(), Code::kPermissionDenied);
  EXPECT_EQ((*first)->flush().error().code(), Code::kPermissionDenied);
  EXPECT_TRUE((*second)->write(1 << 20, block_.span()));
}

TEST_F(HeartbeatTest, ATakeoverOutlastsABeatThatWasUnderWay) {
  const auto second = take_over_against(2);
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_TRUE((*second)->write(1 << 20, block_.span()));
}

TEST_F(HeartbeatTest, ATakeoverAgainstAHostThatBeatsOnIsRefusedByItsName) {
  const auto second = take_over_against(1000);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kPermissionDenied);
  EXPECT_NE(second.error().message().find("host-a"), std::string::npos);
}

TEST_F(HeartbeatTest, AStaleProofServesNothingUntilTheNextBeat) {
  const auto first = claim("host-a", false, milliseconds(500));
  ASSERT_TRUE(first);
  disk_.cut_after(0);  // the device answers nothing: no beat succeeds
  while ((*first)->held()) std::this_thread::yield();
  EXPECT_EQ((*first)->write(1 << 20, block_.span()).error().code(), Code::kUnavailable);
  disk_.cut_after(-1);
}

// A copy made bit by bit, on a device with an identity of its own.
TEST(Identity, ACopyOfADeviceIsRefusedByName) {
  StoreFixture f;
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "k", "x"));
  f.close();
  f.device().rename("naa.1", "naa.1");
  ASSERT_TRUE(f.open());  // the first lasting identity is taken
  f.close();
  f.device().rename("naa.2", "naa.2");
  const auto copy = f.open();
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().code(), Code::kPermissionDenied);
  EXPECT_NE(copy.error().message().find("naa.1"), std::string::npos);
  EXPECT_NE(copy.error().message().find("naa.2"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::test
