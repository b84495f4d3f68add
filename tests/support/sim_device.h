// A device in memory that remembers which writes were not flushed, and can lose any subset of them.
#pragma once

#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "storage/device/block_device.h"

namespace holdfast::test {

// What survives a power cut: the flushed image and the writes after the last flush, in order.
struct CutState {
  Bytes flushed;
  struct Write {
    uint64_t offset;
    Bytes bytes;
  };
  std::vector<Write> unflushed;
};

// Thread-safe.
class SimDevice final : public BlockDevice {
 public:
  explicit SimDevice(uint64_t size_bytes);
  explicit SimDevice(Bytes image);

  const DeviceInfo& info() const override { return info_; }
  Result<void> read(uint64_t offset, MutableByteSpan out) override;
  Result<bool> read_cached(uint64_t offset, MutableByteSpan out) override;
  Result<void> write(uint64_t offset, ByteSpan in) override;
  Result<void> flush() override;
  Result<void> discard(uint64_t offset, uint64_t length) override;
  uint64_t incarnation() const override;

  // After this many more writes and flushes every call fails: the power is gone. Negative: never.
  void cut_after(int64_t operations);
  bool is_cut() const;
  int64_t operations() const;

  // The session ends: every unflushed write is lost with the target's cache, as the subset by `random` says.
  void lose_session(std::mt19937_64& random);
  // The next flush (or write) fails once with a lost session.
  void fail_next_flush();
  void fail_next_write();
  // No more room: writes fail with kOutOfSpace.
  void set_full(bool full);

  CutState cut_state() const;
  Bytes image() const;
  void flip_bit(uint64_t offset, int bit);
  void set_sparse(bool sparse) { info_.sparse = sparse; }  // not while it is used
  void set_page_cache(bool has) { info_.has_page_cache = has; }  // likewise
  // What the device says it is; not while it is used.
  void rename(const std::string& name, const std::string& identity);

 private:
  Result<void> count(const char* what);
  DeviceInfo info_;
  mutable std::mutex mutex_;
  Bytes now_;      // what a read sees
  Bytes flushed_;  // what a cut keeps for certain
  std::vector<CutState::Write> unflushed_;
  int64_t operations_ = 0;
  int64_t cut_at_ = -1;
  bool cut_ = false;
  bool fail_flush_ = false;
  bool fail_write_ = false;
  bool full_ = false;
  uint64_t incarnation_ = 0;
};

// One image that the cut may have left: each unflushed write is kept or not, wholly or in `sector_bytes` pieces.
Bytes image_after_cut(const CutState& state, uint32_t sector_bytes, std::mt19937_64& random);

}  // namespace holdfast::test
