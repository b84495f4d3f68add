#include "storage/base/checksum.h"

#include <isa-l/crc.h>

namespace holdfast {

uint32_t crc32c(ByteSpan bytes, uint32_t before) {
  // ISA-L's iSCSI CRC takes and gives the register without the final complement.
  return ~crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())),
                      static_cast<int>(bytes.size()), ~before);
}

uint32_t crc32(ByteSpan bytes, uint32_t before) {
  return crc32_gzip_refl(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace holdfast
