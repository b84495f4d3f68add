#ifdef __x86_64__

#include "storage/base/md5_avx.h"

#include <utility>

namespace holdfast {

namespace {

// One 32-bit word of each lane.
using Words = __m256i;

HF_AVX2 Words all(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }

template <int N>
HF_AVX2 Words rotated(Words x) {
  return _mm256_or_si256(_mm256_slli_epi32(x, N), _mm256_srli_epi32(x, 32 - N));
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

[[gnu::target("avx2")]] void md5_blocks_avx2(Md5State* states, const std::byte* const* blocks, size_t count) {
  alignas(32) uint32_t lanes[4][8];
  Words state[4];
  md5_gather_states<8>(states, lanes);
  for (size_t w = 0; w < 4; ++w) state[w] = _mm256_load_si256(reinterpret_cast<const __m256i*>(lanes[w]));
  for (size_t at = 0; at < count * kMd5BlockBytes; at += kMd5BlockBytes) {
    Words words[16], s[4];
    md5_transpose_8(blocks, at, words);
    md5_transpose_8(blocks, at + 32, words + 8);
    for (size_t w = 0; w < 4; ++w) s[w] = state[w];
    all_steps(s, words, std::make_index_sequence<64>());
    for (size_t w = 0; w < 4; ++w) state[w] = _mm256_add_epi32(state[w], s[w]);
  }
  for (size_t w = 0; w < 4; ++w) _mm256_store_si256(reinterpret_cast<__m256i*>(lanes[w]), state[w]);
  md5_scatter_states<8>(lanes, states);
}

}  // namespace holdfast

#endif
