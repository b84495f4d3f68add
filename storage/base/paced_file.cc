#include "storage/base/paced_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/base/rest.h"

namespace holdfast {

PacedFile::~PacedFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool PacedFile::step() {
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat st {};
  if (fd_ < 0 || ::fstat(fd_, &st) != 0) return !stop_.stop_requested();  // whoever writes it says what is wrong
  const auto size = static_cast<uint64_t>(st.st_size);
  while (size >= done_bytes_ + kStepBytes && !stop_.stop_requested()) {
    const auto began = std::chrono::steady_clock::now();
    (void)::sync_file_range(fd_, static_cast<off_t>(done_bytes_), kStepBytes,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    done_bytes_ += kStepBytes;
    rest_after(began);
  }
  return !stop_.stop_requested();
}

}  // namespace holdfast
