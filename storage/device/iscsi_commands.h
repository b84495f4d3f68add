// How large SCSI commands to a LUN are, and how many of them are under way at once. Private to storage/device.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "storage/device/block_device.h"

namespace holdfast {

// What is best for the target if that is between 64 KiB and 1 MiB (what a body is written in), else 512 KiB; never more than it takes.
// A multiple of `block_bytes`, unless the target takes less than a block: then of `sector_bytes`.
uint32_t command_bytes(const LinkInfo& link, uint32_t block_bytes, uint32_t sector_bytes);

// As many of link.command_bytes as keep a link of 10 Gbit/s busy while a command goes there, is done in some milliseconds, and is answered: 16 to 64.
size_t command_depth(const LinkInfo& link);

// The commands that may be under way now. A target that has no room for one (SAM-5: TASK SET FULL, BUSY) keeps those that it has; no more
// than those are sent from then on, and by and by one more is tried. Used by one thread.
class CommandWindow {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit CommandWindow(size_t most) : most_(most), depth_(most) {}

  size_t depth() const { return depth_; }
  bool is_open(size_t under_way, TimePoint now) const { return under_way < depth_ && now >= resume_; }
  // A command was done: after some dozens of them one more is tried.
  void done();
  // A command was refused while `under_way` others were there. With none, the target is busy with something else: a short rest.
  void refused(size_t under_way, TimePoint now);
  // How long nothing may be sent; 0: no rest.
  std::chrono::milliseconds rest(TimePoint now) const;

 private:
  size_t most_;
  size_t depth_;
  size_t done_ = 0;  // since the depth changed
  TimePoint resume_{};
};

}  // namespace holdfast
