// Cyclic redundancy checks. All take and return the finished value, so that calls chain:
// crc(b, crc(a)) == crc(a + b).
#pragma once

#include <cstdint>

#include "storage/base/bytes.h"

namespace holdfast {

uint32_t crc32c(ByteSpan bytes, uint32_t before = 0);   // Castagnoli, RFC 3720 appendix B.4
uint32_t crc32(ByteSpan bytes, uint32_t before = 0);    // ISO 3309, as in gzip and S3's CRC32
uint64_t crc64nvme(ByteSpan bytes, uint64_t before = 0);  // NVM Express base specification 2.0, 64-bit guard

}  // namespace holdfast
