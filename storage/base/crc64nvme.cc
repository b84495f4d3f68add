// CRC-64/NVME: by carry-less multiplication where the processor has it, in wide registers if they can, by tables elsewhere.
// Source of the method: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns about its own header
#endif

#include <array>

#include "storage/base/checksum.h"
#include "storage/base/cpu.h"

namespace holdfast {

namespace {

constexpr uint64_t kReflectedPolynomial = 0x9a6c9329ac4bc9b5;

// Slicing by eight: eight tables let one step take eight input bytes.
using Table = std::array<std::array<uint64_t, 256>, 8>;

constexpr Table make_table() {
  Table t{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ kReflectedPolynomial : c >> 1;
    t[0][i] = c;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t i = 0; i < 256; ++i) t[slice][i] = (t[slice - 1][i] >> 8) ^ t[0][t[slice - 1][i] & 255];
  }
  return t;
}

const Table kTable = make_table();

// Without the complement before and after.
uint64_t by_table(uint64_t c, const std::byte* p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    const uint64_t word = c ^ load_le<uint64_t>(p);
    c = 0;
    for (size_t i = 0; i < 8; ++i) c ^= kTable[7 - i][(word >> (8 * i)) & 255];
  }
  for (; n > 0; --n, ++p) c = (c >> 8) ^ kTable[0][(c ^ static_cast<uint64_t>(*p)) & 255];
  return c;
}

#if defined(__x86_64__)

// x^n modulo the polynomial, reflected.
constexpr uint64_t power(unsigned n) {
  uint64_t r = 1ULL << 63;
  for (; n > 0; --n) r = (r & 1) != 0 ? (r >> 1) ^ kReflectedPolynomial : r >> 1;
  return r;
}

// Multipliers that move 128 bits on by a distance in bits; a product of reflected values is one bit short.
struct Fold {
  uint64_t low, high;
};
constexpr Fold fold_by(unsigned bits) { return {power(bits + 64 - 1), power(bits - 1)}; }
constexpr Fold kBy128 = fold_by(128), kBy512 = fold_by(512), kBy2048 = fold_by(2048);

__attribute__((target("pclmul,sse4.1"))) __m128i load(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

__attribute__((target("pclmul,sse4.1"))) __m128i folded(__m128i x, __m128i multipliers) {
  return _mm_xor_si128(_mm_clmulepi64_si128(x, multipliers, 0x00), _mm_clmulepi64_si128(x, multipliers, 0x11));
}

// Four neighbours, and `n` bytes behind them, a multiple of 16.
__attribute__((target("pclmul,sse4.1"))) uint64_t joined(const __m128i (&lane)[4], const std::byte* p, size_t n) {
  const __m128i by128 = _mm_set_epi64x(static_cast<int64_t>(kBy128.high), static_cast<int64_t>(kBy128.low));
  __m128i x = lane[0];
  for (size_t i = 1; i < 4; ++i) x = _mm_xor_si128(folded(x, by128), lane[i]);
  for (; n >= 16; p += 16, n -= 16) x = _mm_xor_si128(folded(x, by128), load(p));
  std::byte rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), x);
  return by_table(0, rest, sizeof rest);
}

// At least 64 bytes, a multiple of 16.
__attribute__((target("pclmul,sse4.1"))) uint64_t by_multiplication(uint64_t c, const std::byte* p, size_t n) {
  const __m128i by512 = _mm_set_epi64x(static_cast<int64_t>(kBy512.high), static_cast<int64_t>(kBy512.low));
  __m128i lane[4];
  for (size_t i = 0; i < 4; ++i) lane[i] = load(p + 16 * i);
  lane[0] = _mm_xor_si128(lane[0], _mm_set_epi64x(0, static_cast<int64_t>(c)));
  for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
    for (size_t i = 0; i < 4; ++i) lane[i] = _mm_xor_si128(folded(lane[i], by512), load(p + 16 * i));
  }
  return joined(lane, p, n);
}

#define HF_WIDE __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.1")))

HF_WIDE inline __m512i wide_folded(__m512i x, __m512i multipliers, __m512i next) {
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, multipliers, 0x00), _mm512_clmulepi64_epi128(x, multipliers, 0x11), next, kXorOfThree);
}

HF_WIDE inline __m512i four_times(Fold fold) {
  return _mm512_broadcast_i32x4(_mm_set_epi64x(static_cast<int64_t>(fold.high), static_cast<int64_t>(fold.low)));
}

// At least 256 bytes, a multiple of 16.
HF_WIDE uint64_t by_wide_multiplication(uint64_t c, const std::byte* p, size_t n) {
  const __m512i by2048 = four_times(kBy2048), by512 = four_times(kBy512);
  __m512i wide[4];
  for (size_t i = 0; i < 4; ++i) wide[i] = _mm512_loadu_si512(p + 64 * i);
  wide[0] = _mm512_xor_si512(wide[0], _mm512_zextsi128_si512(_mm_set_epi64x(0, static_cast<int64_t>(c))));
  for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
    for (size_t i = 0; i < 4; ++i) wide[i] = wide_folded(wide[i], by2048, _mm512_loadu_si512(p + 64 * i));
  }
  __m512i x = wide[0];
  for (size_t i = 1; i < 4; ++i) x = wide_folded(x, by512, wide[i]);
  for (; n >= 64; p += 64, n -= 64) x = wide_folded(x, by512, _mm512_loadu_si512(p));
  const __m128i lane[4] = {_mm512_extracti32x4_epi32(x, 0), _mm512_extracti32x4_epi32(x, 1), _mm512_extracti32x4_epi32(x, 2), _mm512_extracti32x4_epi32(x, 3)};
  return joined(lane, p, n);
}

const bool kCanMultiply = __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;

#endif

}  // namespace

uint64_t crc64nvme(ByteSpan bytes, uint64_t before) {
  uint64_t c = ~before;
  const std::byte* p = bytes.data();
  size_t n = bytes.size();
#if defined(__x86_64__)
  if (kCanMultiply && n >= 64) {
    const size_t whole = n & ~size_t{15};
    const bool wide = n >= 256 && cpu_level() == CpuLevel::kAvx512;
    c = wide ? by_wide_multiplication(c, p, whole) : by_multiplication(c, p, whole);
    p += whole;
    n -= whole;
  }
#endif
  return ~by_table(c, p, n);
}

}  // namespace holdfast
