#include "daemon/app/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace holdfast {

static std::string errno_text() { return std::generic_category().message(errno); }

Result<std::string> read_secret_file(const std::string& path) {
  if (path.empty()) return std::string();
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error(Code::kNotFound, Subject::kConfig, "secret file " + path + ": " + errno_text());
  struct stat st {};
  const bool too_open = ::fstat(fd, &st) != 0 || (st.st_mode & 077) != 0;
  char text[4096];
  const ssize_t n = ::read(fd, text, sizeof text);
  ::close(fd);
  if (too_open) return error(Code::kPermissionDenied, Subject::kConfig, "secret file " + path + " may be read by others: chmod 600 it");
  std::string line(text, n < 0 ? 0 : static_cast<size_t>(n));
  return line.substr(0, line.find_first_of("\r\n"));
}

Result<void> write_secret_file(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return error(errno == EEXIST ? Code::kAlreadyExists : Code::kIoError, Subject::kConfig, path + ": " + errno_text());
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!ok) return error(Code::kIoError, Subject::kConfig, path + " could not be written");
  return {};
}

}  // namespace holdfast
