#include "storage/base/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <bit>
#include <cstdlib>
#include <new>

namespace holdfast {

static_assert(std::endian::native == std::endian::little, "the on-disk format is little-endian");

std::string ByteReader::text() {
  const uint32_t n = u32();
  ByteSpan bytes = raw(n);
  return std::string(as_text(bytes));
}

ByteSpan ByteReader::raw(size_t n) {
  if (!ok_ || left() < n) {
    ok_ = false;
    return {};
  }
  ByteSpan out = in_.subspan(at_, n);
  at_ += n;
  return out;
}

uint32_t ByteReader::count(size_t min_bytes) {
  const uint32_t n = u32();
  if (!ok_ || static_cast<uint64_t>(n) * min_bytes > left()) {
    ok_ = false;
    return 0;
  }
  return n;
}

AlignedBuffer::AlignedBuffer(size_t size_bytes) : size_(size_bytes) {
  const size_t rounded = align_up(size_bytes == 0 ? 1 : size_bytes, kAlignment);
  void* p = std::aligned_alloc(kAlignment, rounded);
  if (p == nullptr) throw std::bad_alloc();
  data_.reset(static_cast<std::byte*>(p));
}

void AlignedBuffer::Free::operator()(std::byte* p) const { std::free(p); }

std::string hex(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    out += kDigits[static_cast<unsigned>(b) >> 4];
    out += kDigits[static_cast<unsigned>(b) & 15];
  }
  return out;
}

std::string hex64(uint64_t value) {
  std::byte big_endian[8];
  for (int i = 0; i < 8; ++i) big_endian[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  return hex(big_endian);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out(text.size() / 2);
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::byte>(high * 16 + low);
  }
  return out;
}

std::string base64(ByteSpan bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool alphabet = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                          c == '+' || c == '/';
    if (c == '=' && i + 2 >= text.size()) {
      ++padding;
    } else if (!alphabet || padding != 0) {
      return std::nullopt;
    }
  }
  Bytes out(text.size() / 4 * 3);
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  if (n < 0) return std::nullopt;
  out.resize(static_cast<size_t>(n) - padding);
  return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace holdfast
