#include "storage/base/paced_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/base/rest.h"

namespace holdfast {

PacedFile::~PacedFile() {
  if (fd_ >= 0) ::close(fd_);
}

// 0 where it cannot be read: whoever writes it says what is wrong.
uint64_t PacedFile::size_bytes() {
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat st {};
  return fd_ < 0 || ::fstat(fd_, &st) != 0 ? 0 : static_cast<uint64_t>(st.st_size);
}

void PacedFile::bring_out(uint64_t from_bytes) {
  const auto began = std::chrono::steady_clock::now();
  (void)::sync_file_range(fd_, static_cast<off_t>(from_bytes), kStepBytes,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  rest_after(began);
}

bool PacedFile::step() {
  const uint64_t size = size_bytes();
  for (; size >= done_bytes_ + kStepBytes && !stop_.stop_requested(); done_bytes_ += kStepBytes) bring_out(done_bytes_);
  return !stop_.stop_requested();
}

bool PacedFile::write_out() {
  const uint64_t size = size_bytes();
  for (uint64_t at = 0; at < size && !stop_.stop_requested(); at += kStepBytes) bring_out(at);
  return !stop_.stop_requested();
}

}  // namespace holdfast
