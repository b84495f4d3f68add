// The block function of MD5 (RFC 1321, section 3.4), for one stream and for several at a time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "storage/base/cpu.h"

namespace holdfast {

struct Md5State {
  std::array<uint32_t, 4> words{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
};

inline constexpr size_t kMd5BlockBytes = 64;
inline constexpr size_t kMd5MostLanes = 16;

// `count` blocks of 64 bytes.
void md5_blocks(Md5State& state, const std::byte* blocks, size_t count);

// What follows a stream's last whole block: its rest, padded as RFC 1321, section 3.1 and 3.2 have it.
struct Md5Tail {
  Md5Tail() = default;
  // `rest`: less than a block; `size_bytes`: of the whole stream.
  Md5Tail(std::span<const std::byte> rest, uint64_t size_bytes);

  std::array<std::byte, 2 * kMd5BlockBytes> blocks{};
  size_t count = 0;
};

// As many blocks of each of `lanes` streams.
struct Md5LaneKernel {
  size_t lanes;
  size_t fewest;  // streams: fewer are done faster one after the other
  void (*run)(Md5State* states, const std::byte* const* blocks, size_t count);
};

// The fastest of a level, narrowest first; empty: nothing beats one stream after the other.
std::span<const Md5LaneKernel> md5_lane_kernels(CpuLevel level = cpu_level());

// One stream's next blocks.
struct Md5Work {
  Md5State* state = nullptr;
  const std::byte* blocks = nullptr;
};
// `count` blocks of each, of as many streams as the widest kernel has lanes at most (without kernels: of any number), side by side by the
// narrowest that has room for them, or one after the other where that is faster.
void md5_blocks_of_each(std::span<const Md5LaneKernel> kernels, std::span<const Md5Work> works, size_t count);

// Of single instruction sets, for md5_lane_kernels() alone.
void md5_blocks_avx2(Md5State* states, const std::byte* const* blocks, size_t count);
void md5_blocks_avx512_8(Md5State* states, const std::byte* const* blocks, size_t count);
void md5_blocks_avx512_16(Md5State* states, const std::byte* const* blocks, size_t count);

// The 64 steps: which word of the block, how far to rotate, and the constant, floor(2^32 * abs(sin(step + 1))).
struct Md5Step {
  size_t word;
  int rotation;
  uint32_t constant;
};
inline constexpr std::array<uint32_t, 64> kMd5Constants{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122,
    0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6,
    0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60,
    0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039,
    0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr Md5Step md5_step(size_t step) {
  constexpr int kRotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  constexpr size_t kStride[4] = {1, 5, 3, 7}, kOffset[4] = {0, 1, 5, 0};
  const size_t round = step / 16;
  return {(kStride[round] * step + kOffset[round]) % 16, kRotations[round][step % 4], kMd5Constants[step]};
}

}  // namespace holdfast
