#include <cstring>
#include <utility>

#include "storage/base/md5_kernels.h"

namespace holdfast {

namespace {

static_assert(std::endian::native == std::endian::little, "words of a block are read as they lie");

// s[0] of each step is what it changes: the registers change their places instead of their contents.
template <size_t I>
[[gnu::always_inline]] inline void step(std::array<uint32_t, 4>& s, const std::array<uint32_t, 16>& words) {
  constexpr Md5Step k = md5_step(I);
  uint32_t& a = s[(4 - I % 4) % 4];
  const uint32_t b = s[(5 - I % 4) % 4], c = s[(6 - I % 4) % 4], d = s[(7 - I % 4) % 4];
  uint32_t f = 0;
  if constexpr (I < 16) f = d ^ (b & (c ^ d));
  else if constexpr (I < 32) f = (d & b) + (~d & c);  // the two have no bit in common: the sum need not wait for both
  else if constexpr (I < 48) f = b ^ c ^ d;
  else f = c ^ (b | ~d);
  a = b + std::rotl(a + f + words[k.word] + k.constant, k.rotation);
}

template <size_t... I>
[[gnu::always_inline]] inline void all_steps(std::array<uint32_t, 4>& s, const std::array<uint32_t, 16>& words, std::index_sequence<I...>) {
  (step<I>(s, words), ...);
}

}  // namespace

void md5_blocks(Md5State& state, const std::byte* blocks, size_t count) {
  for (; count > 0; --count, blocks += kMd5BlockBytes) {
    std::array<uint32_t, 16> words;
    std::memcpy(words.data(), blocks, kMd5BlockBytes);
    std::array<uint32_t, 4> s = state.words;
    all_steps(s, words, std::make_index_sequence<64>());
    for (size_t i = 0; i < 4; ++i) state.words[i] += s[i];
  }
}

}  // namespace holdfast
