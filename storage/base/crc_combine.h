// The CRC of two joined byte strings out of their CRCs and the second one's length.
#pragma once

#include <cstdint>

namespace holdfast {

enum class CrcKind { kCrc32, kCrc32c, kCrc64Nvme };

uint64_t combine_crc(CrcKind kind, uint64_t first, uint64_t second, uint64_t second_bytes);

}  // namespace holdfast
