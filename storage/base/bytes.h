// Byte spans, little-endian encoding for everything that is written to a device, and text encodings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr uint64_t align_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

template <typename T>
T load_le(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);  // x86-64 and arm64 are little-endian; checked in bytes.cc
  return value;
}
template <typename T>
void store_le(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// Appends fixed-width little-endian integers and length-prefixed strings to a growing buffer.
class ByteWriter {
 public:
  void u8(uint8_t v) { put(&v, 1); }
  void u16(uint16_t v) { put(&v, 2); }
  void u32(uint32_t v) { put(&v, 4); }
  void u64(uint64_t v) { put(&v, 8); }
  void raw(ByteSpan bytes) { put(bytes.data(), bytes.size()); }
  // u32 length, then the bytes.
  void text(std::string_view s) {
    u32(static_cast<uint32_t>(s.size()));
    put(s.data(), s.size());
  }
  size_t size() const { return out_.size(); }
  Bytes take() { return std::move(out_); }
  const Bytes& bytes() const { return out_; }

 private:
  void put(const void* data, size_t n) {
    if (n == 0) return;
    const size_t at = out_.size();
    out_.resize(at + n);
    std::memcpy(out_.data() + at, data, n);
  }
  Bytes out_;
};

// Reads what ByteWriter wrote. After a short or oversized read every later read gives zero or empty, and
// ok() is false: callers check once, at the end.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan in) : in_(in) {}
  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  std::string text();
  ByteSpan raw(size_t n);
  // A count of elements that each take at least `min_bytes`: refuses counts that cannot fit what is left.
  uint32_t count(size_t min_bytes);
  // What was read makes no sense to the caller.
  void fail() { ok_ = false; }
  size_t left() const { return in_.size() - at_; }
  size_t position() const { return at_; }
  bool ok() const { return ok_; }

 private:
  template <typename T>
  T fixed() {
    if (!ok_ || left() < sizeof(T)) {
      ok_ = false;
      return T{};
    }
    T v = load_le<T>(in_.data() + at_);
    at_ += sizeof(T);
    return v;
  }
  ByteSpan in_;
  size_t at_ = 0;
  bool ok_ = true;
};

// Memory aligned for O_DIRECT. Movable; not zeroed.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 4096;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size_bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  MutableByteSpan span() { return {data_.get(), size_}; }
  ByteSpan span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

std::string hex(ByteSpan bytes);
std::string hex64(uint64_t value);  // 16 lower-case digits
std::optional<Bytes> from_hex(std::string_view text);
std::string base64(ByteSpan bytes);
std::optional<Bytes> from_base64(std::string_view text);  // strict: padding required, no white space

// Compares without leaking where the difference is.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace holdfast
