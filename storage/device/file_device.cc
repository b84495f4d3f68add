#include "storage/device/file_device.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>

#include "storage/device/page_cache_filler.h"

namespace holdfast {

namespace {

std::string errno_text(int number) { return std::generic_category().message(number); }

Status io_status(const std::string& what, const std::string& name, int number) {
  const Code code = number == ENOSPC || number == EDQUOT ? Code::kOutOfSpace : Code::kIoError;
  return Status(code, Subject::kDevice, what + " " + name + ": " + errno_text(number));
}

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class FileDevice final : public BlockDevice {
 public:
  FileDevice(DeviceInfo info, Fd direct, Fd buffered, bool is_block)
      : info_(std::move(info)), direct_(std::move(direct)), buffered_(std::move(buffered)), is_block_(is_block) {
    if (info_.has_page_cache) filler_.emplace(buffered_.get(), info_.size_bytes);
  }

  const DeviceInfo& info() const override { return info_; }

  Result<void> read(uint64_t offset, MutableByteSpan out) override {
    if (!is_block_) return read_all(buffered_.get(), offset, out);
    const uint64_t sector = info_.block_bytes;
    if (aligned(out.data(), out.size()) && offset % sector == 0 && out.size() % sector == 0) {
      return read_all(direct_.get(), offset, out);
    }
    // Direct reads are of whole sectors.
    const uint64_t first = offset / sector * sector;
    const uint64_t end = std::min(align_up(offset + out.size(), sector), info_.size_bytes);
    if (offset + out.size() > end) return error(Code::kIoError, Subject::kDevice, "read past the end of " + info_.name);
    AlignedBuffer bounce(end - first);
    HF_CHECK(read_all(direct_.get(), first, bounce.span()));
    std::copy_n(bounce.data() + (offset - first), out.size(), out.data());
    return {};
  }

  // The kernel's page cache, where it has them.
  Result<bool> read_cached(uint64_t offset, MutableByteSpan out) override {
    if (is_block_ || (filler_ && !filler_->may_hold(offset, out.size()))) return false;
    const iovec into{out.data(), out.size()};
    return ::preadv2(buffered_.get(), &into, 1, static_cast<off_t>(offset), RWF_NOWAIT) == static_cast<ssize_t>(out.size());
  }

  void fill_cache(uint64_t offset, uint64_t length) override {
    if (filler_) filler_->fill(offset, length);
  }

  Result<void> write(uint64_t offset, ByteSpan in) override {
    if (aligned(in.data(), in.size())) return write_all(offset, in);
    AlignedBuffer bounce(in.size());
    std::copy(in.begin(), in.end(), bounce.data());
    return write_all(offset, {bounce.data(), in.size()});
  }

  Result<void> flush() override {
    if (::fdatasync(direct_.get()) != 0) return error(io_status("flush", info_.name, errno));
    return {};
  }

  Result<void> discard(uint64_t offset, uint64_t length) override {
    if (is_block_) {
      uint64_t range[2] = {offset, length};
      (void)::ioctl(direct_.get(), BLKDISCARD, range);
    } else {
      (void)::fallocate(direct_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                        static_cast<off_t>(length));
    }
    return {};
  }

 private:
  static bool aligned(const void* p, size_t n) {
    return reinterpret_cast<uintptr_t>(p) % AlignedBuffer::kAlignment == 0 && n % 512 == 0;
  }

  Result<void> read_all(int fd, uint64_t offset, MutableByteSpan out) {
    while (!out.empty()) {
      const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return error(io_status("read", info_.name, errno));
      if (n == 0) return error(Code::kIoError, Subject::kDevice, "read past the end of " + info_.name);
      out = out.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  Result<void> write_all(uint64_t offset, ByteSpan in) {
    if (offset + in.size() > info_.size_bytes) {
      return error(Code::kIoError, Subject::kDevice, "write past the end of " + info_.name);
    }
    while (!in.empty()) {
      const ssize_t n = ::pwrite(direct_.get(), in.data(), in.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return error(io_status("write", info_.name, errno));
      in = in.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  DeviceInfo info_;
  Fd direct_;
  Fd buffered_;
  std::optional<PageCacheFiller> filler_;
  bool is_block_;
};

// The World Wide Identifier where the kernel knows one: it survives renaming. Otherwise the device number.
std::string block_identity(dev_t device) {
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  for (const char* file : {"/wwid", "/device/wwid"}) {
    std::ifstream wwid("/sys/dev/block/" + number + file);
    std::string text;
    if (std::getline(wwid, text) && !text.empty()) return "wwid:" + text;
  }
  return "block:" + number;
}

Result<Fd> open_locked(const std::string& path, const FileDeviceOptions& options) {
  struct stat st {};
  const bool is_block = ::stat(path.c_str(), &st) == 0 && S_ISBLK(st.st_mode);
  int flags = O_RDWR | O_CLOEXEC | O_DIRECT;
  if (is_block) flags |= O_EXCL;
  if (options.create) flags |= O_CREAT | O_EXCL;
  Fd fd(::open(path.c_str(), flags, 0600));
  if (fd.get() < 0 && errno == EINVAL) {  // the file system has no O_DIRECT
    // The first attempt may have created the file before it failed.
    fd = Fd(::open(path.c_str(), flags & ~(O_DIRECT | O_EXCL), 0600));
  }
  if (fd.get() < 0) {
    const int number = errno;
    const std::string why = "open " + path + ": " + errno_text(number);
    if (number == ENOENT) return error(Code::kNotFound, Subject::kDevice, why);
    if (number == EEXIST) return error(Code::kAlreadyExists, Subject::kDevice, why);
    if (number == EBUSY) {
      return error(Code::kPermissionDenied, Subject::kDevice, path + " is in use by another program of this host");
    }
    return error(Code::kIoError, Subject::kDevice, why);
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return error(Code::kPermissionDenied, Subject::kDevice, path + " is held by another process of this host");
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<BlockDevice>> open_file_device(const std::string& path, const FileDeviceOptions& options) {
  HF_TRY(Fd direct, open_locked(path, options));
  if (options.create && ::ftruncate(direct.get(), static_cast<off_t>(options.create_size_bytes)) != 0) {
    const int number = errno;
    ::unlink(path.c_str());
    return error(io_status("size", path, number));
  }
  struct stat st {};
  if (::fstat(direct.get(), &st) != 0) return error(io_status("stat", path, errno));
  DeviceInfo info;
  info.name = path;
  info.can_discard = true;
  const bool is_block = S_ISBLK(st.st_mode);
  if (is_block) {
    unsigned physical = 0;
    if (::ioctl(direct.get(), BLKGETSIZE64, &info.size_bytes) != 0) return error(io_status("size of", path, errno));
    if (::ioctl(direct.get(), BLKPBSZGET, &physical) == 0) info.block_bytes = std::max(4096u, physical);
    info.identity = block_identity(st.st_rdev);
  } else if (S_ISREG(st.st_mode)) {
    info.exclusive = true;
    info.sparse = info.has_page_cache = true;
    info.size_bytes = static_cast<uint64_t>(st.st_size);
    info.identity = "file:" + std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino);
  } else {
    return error(Code::kInvalidArgument, Subject::kDevice, path + " is neither a file nor a block device");
  }
  Fd buffered(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (buffered.get() < 0) return error(io_status("open", path, errno));
  return std::make_unique<FileDevice>(std::move(info), std::move(direct), std::move(buffered), is_block);
}

}  // namespace holdfast
