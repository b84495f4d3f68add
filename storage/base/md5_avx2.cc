#include "storage/base/md5_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>

#include <utility>

namespace holdfast {

namespace {

#define HF_AVX2 [[gnu::target("avx2"), gnu::always_inline]] inline

// One 32-bit word of each lane.
using Words = __m256i;

HF_AVX2 Words all(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }

template <int N>
HF_AVX2 Words rotated(Words x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, N), _mm256_srli_epi32(x, 32 - N));
}

// Eight words of each of eight lanes become eight times one word of all.
HF_AVX2 void transpose(const std::array<const std::byte*, kMd5Lanes>& from, size_t offset, Words* out) {
  Words r[8], t[8];
  for (size_t i = 0; i < 8; ++i) r[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[i] + offset));
  for (size_t i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (size_t i = 0; i < 8; i += 4) {
    r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (size_t i = 0; i < 4; ++i) {
    out[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
    out[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
  }
}

// As in md5_scalar.cc.
template <size_t I>
HF_AVX2 void step(Words (&s)[4], const Words (&words)[16]) {
  constexpr Md5Step k = md5_step(I);
  Words& a = s[(4 - I % 4) % 4];
  const Words b = s[(5 - I % 4) % 4], c = s[(6 - I % 4) % 4], d = s[(7 - I % 4) % 4];
  Words f;
  if constexpr (I < 16) f = _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)));
  else if constexpr (I < 32) f = _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)));
  else if constexpr (I < 48) f = _mm256_xor_si256(b, _mm256_xor_si256(c, d));
  else f = _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, all(0xffffffff))));
  const Words sum = _mm256_add_epi32(_mm256_add_epi32(a, _mm256_add_epi32(words[k.word], all(k.constant))), f);
  a = _mm256_add_epi32(b, rotated<k.rotation>(sum));
}

template <size_t... I>
HF_AVX2 void all_steps(Words (&s)[4], const Words (&words)[16], std::index_sequence<I...>) {
  (step<I>(s, words), ...);
}

}  // namespace

[[gnu::target("avx2")]] void md5_blocks_avx2(std::array<Md5State, kMd5Lanes>& states, std::array<const std::byte*, kMd5Lanes> blocks, size_t count) {
  alignas(32) uint32_t lanes[4][kMd5Lanes];
  Words state[4];
  for (size_t w = 0; w < 4; ++w) {
    for (size_t i = 0; i < kMd5Lanes; ++i) lanes[w][i] = states[i].words[w];
    state[w] = _mm256_load_si256(reinterpret_cast<const __m256i*>(lanes[w]));
  }
  for (; count > 0; --count) {
    Words words[16], s[4];
    transpose(blocks, 0, words);
    transpose(blocks, 32, words + 8);
    for (size_t w = 0; w < 4; ++w) s[w] = state[w];
    all_steps(s, words, std::make_index_sequence<64>());
    for (size_t w = 0; w < 4; ++w) state[w] = _mm256_add_epi32(state[w], s[w]);
    for (const std::byte*& b : blocks) b += kMd5BlockBytes;
  }
  for (size_t w = 0; w < 4; ++w) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes[w]), state[w]);
    for (size_t i = 0; i < kMd5Lanes; ++i) states[i].words[w] = lanes[w][i];
  }
}

Md5LaneKernel md5_lane_kernel(std::string_view only) {
  const bool wanted = only.empty() || only == "avx2";
  return wanted && __builtin_cpu_supports("avx2") ? md5_blocks_avx2 : nullptr;
}

}  // namespace holdfast

#else

namespace holdfast {

Md5LaneKernel md5_lane_kernel(std::string_view) { return nullptr; }

}  // namespace holdfast

#endif
