#include "storage/base/checksum.h"

#include <isa-l/crc.h>

#include <array>

namespace holdfast {

uint32_t crc32c(ByteSpan bytes, uint32_t before) {
  // ISA-L's iSCSI CRC takes and gives the register without the final complement.
  return ~crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())),
                      static_cast<int>(bytes.size()), ~before);
}

uint32_t crc32(ByteSpan bytes, uint32_t before) {
  return crc32_gzip_refl(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

namespace {

// Slicing by eight: eight tables let one step take eight input bytes.
using Table = std::array<std::array<uint64_t, 256>, 8>;

constexpr Table make_table() {
  constexpr uint64_t kReflectedPolynomial = 0x9a6c9329ac4bc9b5;
  Table t{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ kReflectedPolynomial : c >> 1;
    t[0][i] = c;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t i = 0; i < 256; ++i) t[slice][i] = (t[slice - 1][i] >> 8) ^ t[0][t[slice - 1][i] & 255];
  }
  return t;
}

const Table kTable = make_table();

}  // namespace

uint64_t crc64nvme(ByteSpan bytes, uint64_t before) {
  uint64_t c = ~before;
  const std::byte* p = bytes.data();
  size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    const uint64_t word = c ^ load_le<uint64_t>(p);
    c = 0;
    for (size_t i = 0; i < 8; ++i) c ^= kTable[7 - i][(word >> (8 * i)) & 255];
  }
  for (; n > 0; --n, ++p) c = (c >> 8) ^ kTable[0][(c ^ static_cast<uint64_t>(*p)) & 255];
  return ~c;
}

}  // namespace holdfast
