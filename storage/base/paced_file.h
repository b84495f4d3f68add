// Background writing of a large file that leaves room for others on its disk.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

namespace holdfast {

// Follows a file that somebody else writes through the page cache. Without it the kernel gathers hundreds of megabytes and writes them at once, and
// every flush of the same disk waits behind them. Not thread-safe.
class PacedFile {
 public:
  PacedFile(std::string path, std::stop_token stop) : path_(std::move(path)), stop_(std::move(stop)) {}
  ~PacedFile();
  PacedFile(const PacedFile&) = delete;
  PacedFile& operator=(const PacedFile&) = delete;

  // To be called often while the file grows: brings what is new to the disk, a megabyte at a time, and rests. False: asked to stop.
  bool step();

  static constexpr uint64_t kStepBytes = 1 << 20;

 private:
  std::string path_;
  std::stop_token stop_;
  int fd_ = -1;
  uint64_t done_bytes_ = 0;
};

}  // namespace holdfast
