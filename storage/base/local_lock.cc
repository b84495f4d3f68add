#include "storage/base/local_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/base/digest.h"

namespace holdfast {

// An address in the abstract namespace of Unix sockets: bound by one at a time, and no file is left behind.
Result<LocalLock> LocalLock::take(const std::string& identity, const std::string& name) {
  LocalLock lock;
  lock.socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (lock.socket_ < 0) return error(Code::kIoError, Subject::kDevice, "lock of " + name + ": " + std::strerror(errno));
  const std::string text = "holdfast-device-" + sha256_hex(identity);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  static_assert(sizeof address.sun_path > 100);
  std::memcpy(address.sun_path + 1, text.data(), text.size());  // the first byte is 0
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (::bind(lock.socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return lock;
  if (errno == EADDRINUSE) {
    return error(Code::kPermissionDenied, Subject::kDevice, name + " is held by another process of this host");
  }
  return error(Code::kIoError, Subject::kDevice, "lock of " + name + ": " + std::strerror(errno));
}

LocalLock::LocalLock(LocalLock&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

LocalLock& LocalLock::operator=(LocalLock&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

LocalLock::~LocalLock() {
  if (socket_ >= 0) ::close(socket_);
}

}  // namespace holdfast
