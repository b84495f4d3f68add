#ifdef __x86_64__

#include "storage/base/md5_avx.h"

#include <utility>

namespace holdfast {

namespace {

#define HF_AVX512 [[gnu::target("avx512f,avx512vl,avx512bw"), gnu::always_inline]] inline

// Eight streams are done sooner in half a register than in a whole one: their blocks are turned around with less.
struct Eight {
  static constexpr size_t kLanes = 8;
  using Words = __m256i;
  HF_AVX512 static Words all(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }
  HF_AVX512 static Words add(Words a, Words b) { return _mm256_add_epi32(a, b); }
  template <int N>
  HF_AVX512 static Words rotated(Words x) { return _mm256_rol_epi32(x, N); }
  template <int Table>
  HF_AVX512 static Words logic(Words b, Words c, Words d) { return _mm256_ternarylogic_epi32(b, c, d, Table); }
  HF_AVX512 static Words load(const uint32_t* from) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }
  HF_AVX512 static void store(uint32_t* to, Words words) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), words); }
  HF_AVX512 static void transpose(const std::byte* const* from, size_t offset, Words* out) {
    md5_transpose_8(from, offset, out);
    md5_transpose_8(from, offset + 32, out + 8);
  }
};

struct Sixteen {
  static constexpr size_t kLanes = 16;
  using Words = __m512i;
  HF_AVX512 static Words all(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
  HF_AVX512 static Words add(Words a, Words b) { return _mm512_add_epi32(a, b); }
  template <int N>
  HF_AVX512 static Words rotated(Words x) { return _mm512_rol_epi32(x, N); }
  template <int Table>
  HF_AVX512 static Words logic(Words b, Words c, Words d) { return _mm512_ternarylogic_epi32(b, c, d, Table); }
  HF_AVX512 static Words load(const uint32_t* from) { return _mm512_load_si512(from); }
  HF_AVX512 static void store(uint32_t* to, Words words) { _mm512_store_si512(to, words); }

  // Sixteen words of each of sixteen lanes become sixteen times one word of all.
  HF_AVX512 static void transpose(const std::byte* const* from, size_t offset, Words* out) {
    Words r[16], t[16];
    for (size_t i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(from[i] + offset);
    for (size_t i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (size_t i = 0; i < 16; i += 4) {
      r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
      r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
      r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
      r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // r[4 * q + k]: of the lanes 4 * q to 4 * q + 3, in quarter j the word 4 * j + k.
    for (size_t k = 0; k < 4; ++k) {
      const Words even_low = _mm512_shuffle_i32x4(r[k], r[4 + k], 0x88), odd_low = _mm512_shuffle_i32x4(r[k], r[4 + k], 0xdd);
      const Words even_high = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0x88), odd_high = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0xdd);
      out[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
      out[4 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
      out[8 + k] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
      out[12 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
  }
};

// As in md5_scalar.cc. The tables say what comes of each bit of b, c and d: (b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d).
template <typename Ops, size_t I>
HF_AVX512 void step(typename Ops::Words (&s)[4], const typename Ops::Words (&words)[16]) {
  using Words = typename Ops::Words;
  constexpr Md5Step k = md5_step(I);
  constexpr int kTables[4] = {0xca, 0xe4, 0x96, 0x39};
  Words& a = s[(4 - I % 4) % 4];
  const Words b = s[(5 - I % 4) % 4], c = s[(6 - I % 4) % 4], d = s[(7 - I % 4) % 4];
  const Words sum = Ops::add(Ops::add(a, Ops::add(words[k.word], Ops::all(k.constant))), Ops::template logic<kTables[I / 16]>(b, c, d));
  a = Ops::add(b, Ops::template rotated<k.rotation>(sum));
}

template <typename Ops, size_t... I>
HF_AVX512 void all_steps(typename Ops::Words (&s)[4], const typename Ops::Words (&words)[16], std::index_sequence<I...>) {
  (step<Ops, I>(s, words), ...);
}

template <typename Ops>
HF_AVX512 void run(Md5State* states, const std::byte* const* blocks, size_t count) {
  using Words = typename Ops::Words;
  alignas(64) uint32_t lanes[4][Ops::kLanes];
  Words state[4];
  md5_gather_states<Ops::kLanes>(states, lanes);
  for (size_t w = 0; w < 4; ++w) state[w] = Ops::load(lanes[w]);
  for (size_t at = 0; at < count * kMd5BlockBytes; at += kMd5BlockBytes) {
    Words words[16], s[4];
    Ops::transpose(blocks, at, words);
    for (size_t w = 0; w < 4; ++w) s[w] = state[w];
    all_steps<Ops>(s, words, std::make_index_sequence<64>());
    for (size_t w = 0; w < 4; ++w) state[w] = Ops::add(state[w], s[w]);
  }
  for (size_t w = 0; w < 4; ++w) Ops::store(lanes[w], state[w]);
  md5_scatter_states<Ops::kLanes>(lanes, states);
}

}  // namespace

[[gnu::target("avx512f,avx512vl,avx512bw")]] void md5_blocks_avx512_8(Md5State* states, const std::byte* const* blocks, size_t count) { run<Eight>(states, blocks, count); }

[[gnu::target("avx512f,avx512vl,avx512bw")]] void md5_blocks_avx512_16(Md5State* states, const std::byte* const* blocks, size_t count) { run<Sixteen>(states, blocks, count); }

}  // namespace holdfast

#endif
