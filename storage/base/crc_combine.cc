#include "storage/base/crc_combine.h"

namespace holdfast {

namespace {

struct Field {
  uint64_t polynomial;  // reflected
  int bits;
};

Field field_of(CrcKind kind) {
  switch (kind) {
    case CrcKind::kCrc32: return {0xedb88320, 32};
    case CrcKind::kCrc32c: return {0x82f63b78, 32};
    case CrcKind::kCrc64Nvme: return {0x9a6c9329ac4bc9b5, 64};
  }
  return {0, 0};
}

// a * b modulo the polynomial, in the reflected representation: the highest bit is x^0.
uint64_t multiply(const Field& f, uint64_t a, uint64_t b) {
  const uint64_t top = uint64_t{1} << (f.bits - 1);
  uint64_t product = 0;
  for (uint64_t bit = top; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ f.polynomial : b >> 1;
  }
  return product;
}

}  // namespace

// Appending n zero bytes multiplies a CRC by x^(8n).
uint64_t combine_crc(CrcKind kind, uint64_t first, uint64_t second, uint64_t second_bytes) {
  const Field f = field_of(kind);
  const uint64_t one = uint64_t{1} << (f.bits - 1);
  uint64_t power = one >> 8;  // x^8
  uint64_t shift = one;
  for (uint64_t n = second_bytes; n != 0; n >>= 1) {
    if ((n & 1) != 0) shift = multiply(f, shift, power);
    power = multiply(f, power, power);
  }
  return multiply(f, shift, first) ^ second;
}

}  // namespace holdfast
