#include "storage/base/md5_kernels.h"

#include <algorithm>
#include <cstring>

namespace holdfast {

#ifdef __x86_64__

std::span<const Md5LaneKernel> md5_lane_kernels(CpuLevel level) {
  static constexpr Md5LaneKernel kAvx2[] = {{8, 3, md5_blocks_avx2}};
  static constexpr Md5LaneKernel kAvx512[] = {{8, 2, md5_blocks_avx512_8}, {16, 2, md5_blocks_avx512_16}};
  switch (level) {
    case CpuLevel::kAvx512: return kAvx512;
    case CpuLevel::kAvx2: return kAvx2;
    case CpuLevel::kBaseline: return {};
  }
  return {};
}

#else

std::span<const Md5LaneKernel> md5_lane_kernels(CpuLevel) { return {}; }

#endif

Md5Tail::Md5Tail(std::span<const std::byte> rest, uint64_t size_bytes) : count(rest.size() < kMd5BlockBytes - 8 ? 1 : 2) {
  const uint64_t bits = size_bytes * 8;
  std::ranges::copy(rest, blocks.begin());
  blocks[rest.size()] = std::byte{0x80};
  std::memcpy(blocks.data() + count * kMd5BlockBytes - 8, &bits, 8);
}

void md5_blocks_of_each(std::span<const Md5LaneKernel> kernels, std::span<const Md5Work> works, size_t count) {
  const auto kernel = std::ranges::find_if(kernels, [&](const Md5LaneKernel& k) { return works.size() <= k.lanes; });
  if (kernel == kernels.end() || works.size() < kernel->fewest) {
    for (const Md5Work& w : works) md5_blocks(*w.state, w.blocks, count);
    return;
  }
  // Lanes that nobody needs do the first one's work again.
  std::array<Md5State, kMd5MostLanes> states;
  std::array<const std::byte*, kMd5MostLanes> blocks;
  for (size_t i = 0; i < kernel->lanes; ++i) {
    const Md5Work& w = works[i < works.size() ? i : 0];
    states[i] = *w.state;
    blocks[i] = w.blocks;
  }
  kernel->run(states.data(), blocks.data(), count);
  for (size_t i = 0; i < works.size(); ++i) *works[i].state = states[i];
}

}  // namespace holdfast
