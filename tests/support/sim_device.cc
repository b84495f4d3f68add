#include "tests/support/sim_device.h"

namespace holdfast::test {

namespace {
Status dead() { return Status(Code::kIoError, Subject::kDevice, "simulated power cut"); }
Status session_lost() { return Status(Code::kUnavailable, Subject::kDevice, "simulated session loss"); }
}  // namespace

SimDevice::SimDevice(uint64_t size_bytes) : SimDevice(Bytes(size_bytes)) {}

SimDevice::SimDevice(Bytes image) : now_(std::move(image)), flushed_(now_) {
  info_.name = "sim";
  info_.identity = "block:sim";
  info_.exclusive = true;
  info_.size_bytes = now_.size();
  info_.can_discard = true;
}

Result<void> SimDevice::count(const char*) {
  if (cut_) return error(dead());
  if (cut_at_ >= 0 && operations_ >= cut_at_) {
    cut_ = true;
    return error(dead());
  }
  ++operations_;
  return {};
}

Result<void> SimDevice::read(uint64_t offset, MutableByteSpan out) {
  std::lock_guard lock(mutex_);
  if (cut_) return error(dead());
  if (offset + out.size() > now_.size()) return error(Code::kIoError, "read past the end");
  std::copy_n(now_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

Result<bool> SimDevice::read_cached(uint64_t offset, MutableByteSpan out) {
  if (!info_.has_page_cache) return false;
  HF_CHECK(read(offset, out));
  return true;
}

Result<void> SimDevice::write(uint64_t offset, ByteSpan in) {
  std::lock_guard lock(mutex_);
  if (full_) return error(Code::kOutOfSpace, Subject::kDevice, "simulated full device");
  if (std::exchange(fail_write_, false)) {
    ++incarnation_;
    return error(session_lost());
  }
  // The write that the power cut hits may still reach the medium in part.
  const bool was_cut = cut_;
  auto counted = count("write");
  if (was_cut) return counted;
  if (offset + in.size() > now_.size() || offset % info_.block_bytes != 0) return error(Code::kIoError, "bad write");
  std::copy(in.begin(), in.end(), now_.begin() + static_cast<ptrdiff_t>(offset));
  unflushed_.push_back({offset, Bytes(in.begin(), in.end())});
  return counted;
}

Result<void> SimDevice::flush() {
  std::lock_guard lock(mutex_);
  HF_CHECK(count("flush"));
  if (std::exchange(fail_flush_, false)) {
    ++incarnation_;
    return error(session_lost());
  }
  for (const auto& w : unflushed_) std::copy(w.bytes.begin(), w.bytes.end(), flushed_.begin() + static_cast<ptrdiff_t>(w.offset));
  unflushed_.clear();
  return {};
}

Result<void> SimDevice::discard(uint64_t offset, uint64_t length) {
  std::lock_guard lock(mutex_);
  if (cut_) return error(dead());
  // Both what a read sees and what survives are gone, in the nastiest way: other bytes.
  const auto from = static_cast<ptrdiff_t>(offset), n = static_cast<ptrdiff_t>(length);
  std::fill_n(now_.begin() + from, n, std::byte{0xdd});
  std::fill_n(flushed_.begin() + from, n, std::byte{0xdd});
  std::erase_if(unflushed_, [&](const auto& w) { return w.offset >= offset && w.offset < offset + length; });
  return {};
}

uint64_t SimDevice::incarnation() const {
  std::lock_guard lock(mutex_);
  return incarnation_;
}

void SimDevice::cut_after(int64_t operations) {
  std::lock_guard lock(mutex_);
  cut_at_ = operations < 0 ? -1 : operations_ + operations;
}

bool SimDevice::is_cut() const {
  std::lock_guard lock(mutex_);
  return cut_;
}

int64_t SimDevice::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

void SimDevice::lose_session(std::mt19937_64& random) {
  std::lock_guard lock(mutex_);
  now_ = image_after_cut({flushed_, unflushed_}, 4096, random);
  flushed_ = now_;
  unflushed_.clear();
  ++incarnation_;
}

void SimDevice::fail_next_flush() {
  std::lock_guard lock(mutex_);
  fail_flush_ = true;
}

void SimDevice::fail_next_write() {
  std::lock_guard lock(mutex_);
  fail_write_ = true;
}

void SimDevice::set_full(bool full) {
  std::lock_guard lock(mutex_);
  full_ = full;
}

CutState SimDevice::cut_state() const {
  std::lock_guard lock(mutex_);
  return {flushed_, unflushed_};
}

Bytes SimDevice::image() const {
  std::lock_guard lock(mutex_);
  return now_;
}

void SimDevice::rename(const std::string& name, const std::string& identity) {
  info_.name = name;
  info_.identity = identity;
}

void SimDevice::flip_bit(uint64_t offset, int bit) {
  std::lock_guard lock(mutex_);
  now_[offset] ^= static_cast<std::byte>(1 << bit);
  flushed_[offset] ^= static_cast<std::byte>(1 << bit);
}

Bytes image_after_cut(const CutState& state, uint32_t sector_bytes, std::mt19937_64& random) {
  Bytes image = state.flushed;
  // Now and then all or nothing: both ends are worth a visit.
  const int mood = static_cast<int>(random() % 4);
  for (const CutState::Write& w : state.unflushed) {
    const bool torn = mood == 2 && random() % 2 == 0;
    const bool keep_whole = mood == 0 || (mood >= 2 && random() % 2 == 0);
    for (size_t at = 0; at < w.bytes.size(); at += sector_bytes) {
      const bool keep = torn ? random() % 2 == 0 : keep_whole;
      if (!keep) continue;
      const size_t n = std::min<size_t>(sector_bytes, w.bytes.size() - at);
      std::copy_n(w.bytes.begin() + static_cast<ptrdiff_t>(at), n, image.begin() + static_cast<ptrdiff_t>(w.offset + at));
    }
  }
  return image;
}

}  // namespace holdfast::test
