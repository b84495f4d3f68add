// How large commands to a LUN are, and how many are under way where the target has little room.
#include <gtest/gtest.h>

#include "storage/device/iscsi_commands.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
constexpr uint64_t kKiB = 1024;

LinkInfo limits(uint64_t most, uint64_t best) {
  LinkInfo l;
  l.most_bytes = most;
  l.best_bytes = best;
  return l;
}

TEST(IscsiCommands, AreAsLargeAsTheTargetLikesAndNeverLargerThanItTakes) {
  EXPECT_EQ(command_bytes(limits(0, 0), 4096, 512), 512 * kKiB) << "it says nothing";
  EXPECT_EQ(command_bytes(limits(0, 256 * kKiB), 4096, 512), 256 * kKiB);
  EXPECT_EQ(command_bytes(limits(0, 1024 * kKiB), 4096, 512), 1024 * kKiB);
  EXPECT_EQ(command_bytes(limits(0, 8192 * kKiB), 4096, 512), 512 * kKiB) << "more than is ever written at once";
  EXPECT_EQ(command_bytes(limits(0, 4 * kKiB), 4096, 512), 512 * kKiB) << "too small to be meant";
  EXPECT_EQ(command_bytes(limits(128 * kKiB, 0), 4096, 512), 128 * kKiB);
  EXPECT_EQ(command_bytes(limits(128 * kKiB, 256 * kKiB), 4096, 512), 128 * kKiB);
  EXPECT_EQ(command_bytes(limits(100 * kKiB + 512, 0), 4096, 512), 100 * kKiB) << "whole blocks";
  EXPECT_EQ(command_bytes(limits(3 * 512, 0), 4096, 512), 3 * 512u) << "less than a block: whole sectors";
  EXPECT_EQ(command_bytes(limits(100, 0), 4096, 512), 512u);
}

TEST(IscsiCommands, MoreAreUnderWayOnALongerLink) {
  const auto depth = [](std::chrono::microseconds round_trip) {
    LinkInfo link;
    link.round_trip = round_trip;
    link.command_bytes = 512 << 10;
    return command_depth(link);
  };
  EXPECT_EQ(depth(std::chrono::microseconds(50)), 16u);
  EXPECT_EQ(depth(milliseconds(10)), 35u) << "10 Gbit/s for 15 ms in pieces of 512 KiB";
  EXPECT_EQ(depth(milliseconds(500)), 64u);
  EXPECT_EQ(depth(std::chrono::hours(1)), 64u);
}

// A target that keeps `room` commands and refuses all others, under a window that always has something to send.
struct SmallTarget {
  size_t room, under_way = 0, refused = 0;
  CommandWindow window{16};
  CommandWindow::TimePoint now{};

  void turn() {
    size_t sent = 0;
    while (window.is_open(under_way + sent, now)) ++sent;
    for (; sent > 0; --sent) {  // answers come in the order of the commands
      if (under_way < room) {
        ++under_way;
      } else {
        ++refused;
        window.refused(under_way + sent - 1, now);
      }
    }
    if (under_way > 0) --under_way, window.done();
  }
};

TEST(CommandWindow, FindsWhatATargetHasRoomFor) {
  SmallTarget target{.room = 5};
  target.turn();
  EXPECT_EQ(target.window.depth(), 5u) << "eleven of sixteen came back";
  for (int i = 0; i < 1000; ++i) target.turn();
  EXPECT_LE(target.refused, 11u + 1000 / 64 + 1) << "one more is tried now and then, no oftener";
  target.room = 100;
  for (int i = 0; i < 2000; ++i) target.turn();
  EXPECT_EQ(target.window.depth(), 16u) << "it has room again";
}

TEST(CommandWindow, RestsWhereTheTargetTakesNothing) {
  CommandWindow window(16);
  const CommandWindow::TimePoint now{milliseconds(1000)};
  window.refused(0, now);
  EXPECT_FALSE(window.is_open(0, now));
  EXPECT_EQ(window.rest(now), milliseconds(20));
  EXPECT_EQ(window.rest(now + milliseconds(15)), milliseconds(5));
  EXPECT_TRUE(window.is_open(0, now + milliseconds(20)));
  EXPECT_EQ(window.rest(now + milliseconds(20)), milliseconds(0));
  EXPECT_FALSE(window.is_open(1, now + milliseconds(20))) << "one at a time";
}

}  // namespace
}  // namespace holdfast::test
