// MD5 of several bodies that are there as a whole, side by side in the lanes of one core where the processor has some.
#pragma once

#include <array>
#include <span>

#include "storage/base/bytes.h"
#include "storage/base/md5_kernels.h"

namespace holdfast {

using Md5Value = std::array<std::byte, 16>;

// One value a body, in their order. Any number of them, of any sizes. On the calling thread.
std::vector<Md5Value> md5_of_each(std::span<const ByteSpan> bodies, std::span<const Md5LaneKernel> kernels = md5_lane_kernels());

}  // namespace holdfast
