#include "k8s/bucket/uuid.h"

#include "storage/base/bytes.h"

namespace holdfast::k8s {

std::string new_uuid(Random& random) {
  std::byte raw[16];
  random.fill(raw);
  raw[6] = (raw[6] & std::byte{0x0f}) | std::byte{0x40};
  raw[8] = (raw[8] & std::byte{0x3f}) | std::byte{0x80};
  const std::string h = hex(raw);
  return h.substr(0, 8) + "-" + h.substr(8, 4) + "-" + h.substr(12, 4) + "-" + h.substr(16, 4) + "-" + h.substr(20);
}

}  // namespace holdfast::k8s
