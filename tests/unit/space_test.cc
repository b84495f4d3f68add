// Which free segment is used next, and when a device is told that it need not keep one.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "storage/log/allocator.h"
#include "storage/object/space_return.h"
#include "tests/support/sim_device.h"

namespace holdfast::test {
namespace {

constexpr uint64_t kSegmentBytes = 64 << 10;
constexpr uint32_t kSegments = 64;

Layout layout() {
  Layout l;
  l.segment_bytes = kSegmentBytes;
  l.segment_count = kSegments;
  return l;
}

class SpaceTest : public testing::Test {
 protected:
  // Takes segments, fills them with ones, and frees them again.
  std::vector<uint32_t> use_and_free(size_t count) {
    std::vector<uint32_t> taken;
    for (size_t i = 0; i < count; ++i) {
      const auto lease = allocator_.allocate(SegmentKind::kBulk, Purpose::kPut);
      EXPECT_TRUE(lease);
      EXPECT_TRUE(device_.write(layout_.segment_offset(lease->segment), Bytes(kSegmentBytes, std::byte{1})));
      taken.push_back(lease->segment);
    }
    EXPECT_TRUE(device_.flush());
    for (uint32_t s : taken) allocator_.seal(s);
    EXPECT_EQ(allocator_.reclaim(), count);
    return taken;
  }
  bool discarded(uint32_t segment) {
    const Bytes image = device_.image();
    const auto from = image.begin() + static_cast<ptrdiff_t>(layout_.segment_offset(segment));
    return std::all_of(from, from + kSegmentBytes, [](std::byte b) { return b != std::byte{1}; });
  }
  size_t count_discarded(const std::vector<uint32_t>& segments) {
    return static_cast<size_t>(std::count_if(segments.begin(), segments.end(), [&](uint32_t s) { return discarded(s); }));
  }

  const Layout layout_ = layout();
  SimDevice device_{kHeaderAreaBytes + kSegments * kSegmentBytes};
  Allocator allocator_{layout_, 1};
};

TEST_F(SpaceTest, WhatTheDeviceStillKeepsIsUsedFirst) {
  const auto freed = use_and_free(3);
  for (uint32_t expected : freed) EXPECT_EQ(allocator_.allocate(SegmentKind::kBulk, Purpose::kPut)->segment, expected);
  const uint32_t fresh = allocator_.allocate(SegmentKind::kBulk, Purpose::kPut)->segment;
  EXPECT_EQ(std::count(freed.begin(), freed.end(), fresh), 0);
}

TEST_F(SpaceTest, AFewAreKeptTheOldestGoFirst) {
  const auto freed = use_and_free(10);
  size_t steps = 0;
  while (allocator_.discard_one(device_, false)) ++steps;
  EXPECT_EQ(steps, 6u) << "four are kept";
  for (size_t i = 0; i < freed.size(); ++i) EXPECT_EQ(discarded(freed[i]), i < 6) << i;
  EXPECT_EQ(allocator_.report().free_segments, kSegments);
  while (allocator_.discard_one(device_, true)) ++steps;
  EXPECT_EQ(steps, 10u);
  EXPECT_EQ(count_discarded(freed), 10u);
}

TEST_F(SpaceTest, TheReserveIsNotGivenBack) {
  const auto freed = use_and_free(kSegments - kReserveSegments);
  for (size_t i = 0; i < freed.size(); ++i) ASSERT_TRUE(allocator_.allocate(SegmentKind::kBulk, Purpose::kPut));
  allocator_.seal(freed[0]);
  ASSERT_EQ(allocator_.reclaim(), 1u);
  EXPECT_TRUE(allocator_.discard_one(device_, true)) << "one beyond the reserve";
  EXPECT_FALSE(allocator_.discard_one(device_, true));
  ASSERT_TRUE(allocator_.allocate(SegmentKind::kBulk, Purpose::kPut));
  allocator_.seal(freed[1]);
  ASSERT_TRUE(allocator_.allocate(SegmentKind::kJournal, Purpose::kOpening));
  ASSERT_EQ(allocator_.reclaim(), 1u);
  EXPECT_FALSE(allocator_.discard_one(device_, true)) << "it is part of the reserve now";
}

// Asks what may be taken while a discard runs.
class AskingDevice final : public BlockDevice {
 public:
  AskingDevice(SimDevice& device, Allocator& allocator) : device_(device), allocator_(allocator) {}
  const DeviceInfo& info() const override { return device_.info(); }
  Result<void> read(uint64_t offset, MutableByteSpan out) override { return device_.read(offset, out); }
  Result<void> write(uint64_t offset, ByteSpan in) override { return device_.write(offset, in); }
  Result<void> flush() override { return device_.flush(); }
  Result<void> discard(uint64_t offset, uint64_t length) override {
    while (auto lease = allocator_.allocate(SegmentKind::kBulk, Purpose::kOpening)) taken.push_back(lease->segment);
    return device_.discard(offset, length);
  }
  std::vector<uint32_t> taken;

 private:
  SimDevice& device_;
  Allocator& allocator_;
};

TEST_F(SpaceTest, NobodyGetsASegmentWhileItIsDiscarded) {
  const auto freed = use_and_free(5);
  AskingDevice device(device_, allocator_);
  ASSERT_TRUE(allocator_.discard_one(device, false));
  EXPECT_EQ(device.taken.size(), kSegments - 1);
  EXPECT_EQ(std::count(device.taken.begin(), device.taken.end(), freed.front()), 0);
  EXPECT_EQ(allocator_.allocate(SegmentKind::kBulk, Purpose::kOpening)->segment, freed.front()) << "and then it is free";
}

TEST_F(SpaceTest, AllGoesOnceNothingHasChangedForAWhile) {
  SpaceReturn space(allocator_, device_);
  const auto start = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  EXPECT_FALSE(space.step(start));
  const auto freed = use_and_free(6);
  EXPECT_TRUE(space.step(start));
  EXPECT_TRUE(space.step(start));
  EXPECT_FALSE(space.step(start)) << "four are kept";
  EXPECT_FALSE(space.step(start + SpaceReturn::kQuiet - std::chrono::seconds(1)));
  EXPECT_EQ(use_and_free(1).size(), 1u);
  EXPECT_FALSE(space.step(start + SpaceReturn::kQuiet)) << "something came and went";
  EXPECT_EQ(count_discarded(freed), 2u);
  const auto later = start + 2 * SpaceReturn::kQuiet;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(space.step(later)) << i;
  EXPECT_FALSE(space.step(later));
  EXPECT_EQ(count_discarded(freed), 6u);
}

}  // namespace
}  // namespace holdfast::test
