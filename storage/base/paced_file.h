// Background writing of large files that leaves room for others on their disk. Without it the kernel gathers hundreds of megabytes and writes
// them at once, when it likes or when somebody flushes, and every flush of the same disk waits behind them.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

namespace holdfast {

// Follows a file that somebody else writes through the page cache. Not thread-safe.
class PacedFile {
 public:
  PacedFile(std::string path, std::stop_token stop) : path_(std::move(path)), stop_(std::move(stop)) {}
  ~PacedFile();
  PacedFile(const PacedFile&) = delete;
  PacedFile& operator=(const PacedFile&) = delete;

  // To be called often while the file grows: brings what is new to the disk, a megabyte at a time, and rests. False: asked to stop.
  bool step();
  // Brings to the disk whatever of the file is not there, wherever it was changed; what is there already costs next to nothing. This is not a
  // flush: it leaves little to the one that follows. False: asked to stop.
  bool write_out();

  static constexpr uint64_t kStepBytes = 1 << 20;

 private:
  uint64_t size_bytes();
  void bring_out(uint64_t from_bytes);

  std::string path_;
  std::stop_token stop_;
  int fd_ = -1;
  uint64_t done_bytes_ = 0;
};

}  // namespace holdfast
