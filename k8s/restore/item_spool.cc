#include "k8s/restore/item_spool.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace holdfast::k8s {

namespace {

constexpr size_t kFlushBytes = 4 << 20;
constexpr uint64_t kLeftFreeBytes = 512 << 20;

// Where an item lies is unique in the life of the key.
Nonce nonce_of(uint64_t offset_bytes) { return counter_nonce(offset_bytes); }

}  // namespace

Result<std::unique_ptr<ItemSpool>> ItemSpool::create(const std::string& directory, Random& random) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    // Not every file system makes files without a name.
    std::string path = directory + "/unpacked-XXXXXX";
    fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(path.c_str());
  }
  if (fd < 0) return error(Code::kIoError, "cannot make a temporary file in " + directory + ": " + std::strerror(errno));
  return std::unique_ptr<ItemSpool>(new ItemSpool(fd, SecretKey::random(random)));
}

ItemSpool::~ItemSpool() { ::close(fd_); }

Result<SpoolPlace> ItemSpool::add(std::string_view content) {
  const SpoolPlace place{written_bytes_ + waiting_.size(), static_cast<uint32_t>(content.size())};
  const size_t at = waiting_.size();
  waiting_.resize(at + content.size() + kTagBytes);
  const auto cipher = MutableByteSpan(waiting_).subspan(at, content.size());
  aead_seal(key_, nonce_of(place.offset_bytes), {}, as_bytes(content), cipher, std::span<std::byte, kTagBytes>(waiting_.data() + at + content.size(), kTagBytes));
  if (waiting_.size() >= kFlushBytes) HF_CHECK(flush());
  return place;
}

Result<void> ItemSpool::flush() {
  struct statvfs disk {};
  if (::fstatvfs(fd_, &disk) == 0 && uint64_t{disk.f_bavail} * disk.f_frsize < kLeftFreeBytes + waiting_.size()) {
    return error(Code::kOutOfSpace, "the local disk has no room to unpack the archive");
  }
  for (size_t done = 0; done < waiting_.size();) {
    const ssize_t n = ::pwrite(fd_, waiting_.data() + done, waiting_.size() - done, static_cast<off_t>(written_bytes_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return error(errno == ENOSPC ? Code::kOutOfSpace : Code::kIoError, std::string("cannot unpack the archive on the local disk: ") + std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  written_bytes_ += waiting_.size();
  waiting_.clear();
  return {};
}

Result<std::string> ItemSpool::read(const SpoolPlace& place) const {
  Bytes sealed(place.size_bytes + kTagBytes);
  for (size_t done = 0; done < sealed.size();) {
    const ssize_t n = ::pread(fd_, sealed.data() + done, sealed.size() - done, static_cast<off_t>(place.offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return error(Code::kIoError, "cannot read the unpacked archive from the local disk");
    done += static_cast<size_t>(n);
  }
  std::string content(place.size_bytes, '\0');
  const std::span<const std::byte, kTagBytes> tag(sealed.data() + place.size_bytes, kTagBytes);
  const MutableByteSpan plain(reinterpret_cast<std::byte*>(content.data()), content.size());
  if (!aead_open(key_, nonce_of(place.offset_bytes), {}, ByteSpan(sealed).first(place.size_bytes), tag, plain)) {
    return error(Code::kCorrupt, "the local disk gave back something else than was written");
  }
  return content;
}

}  // namespace holdfast::k8s
