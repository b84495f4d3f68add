#include "storage/base/md5_kernels.h"

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

}  // namespace holdfast
