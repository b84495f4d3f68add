// What the MD5 kernels for AVX2 and AVX-512 have in common. Only for those two files, on x86-64.
#pragma once

#include <immintrin.h>

#include "storage/base/md5_kernels.h"

namespace holdfast {

#define HF_AVX2 [[gnu::target("avx2"), gnu::always_inline]] inline

// Eight words of each of eight lanes become eight times one word of all.
HF_AVX2 void md5_transpose_8(const std::byte* const* from, size_t offset, __m256i* out) {
  __m256i r[8], t[8];
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

// A word of every lane side by side, and back.
template <size_t N>
void md5_gather_states(const Md5State* states, uint32_t (&lanes)[4][N]) {
  for (size_t w = 0; w < 4; ++w) {
    for (size_t i = 0; i < N; ++i) lanes[w][i] = states[i].words[w];
  }
}

template <size_t N>
void md5_scatter_states(const uint32_t (&lanes)[4][N], Md5State* states) {
  for (size_t w = 0; w < 4; ++w) {
    for (size_t i = 0; i < N; ++i) states[i].words[w] = lanes[w][i];
  }
}

}  // namespace holdfast
