#include "storage/base/body_ref.h"

namespace holdfast {

uint64_t extent_disk_bytes(uint64_t data_bytes, bool encrypted, uint32_t block_bytes) {
  const uint64_t blocks = (data_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes;
  return align_up(data_bytes + blocks * (4 + (encrypted ? kTagBytes : 0)) + kExtentTrailerBytes, block_bytes);
}

void encode_body_ref(ByteWriter& w, const BodyRef& ref) {
  w.u64(ref.size_bytes);
  w.raw(ref.id);
  w.text(ref.wrapped_key);
  w.u32(static_cast<uint32_t>(ref.extents.size()));
  for (const ExtentRef& e : ref.extents) {
    w.u32(e.device);
    w.u32(e.segment);
    w.u64(e.generation);
    w.u32(e.offset_bytes);
    w.u32(e.data_bytes);
    w.u32(e.table_checksum);
  }
}

BodyRef decode_body_ref(ByteReader& r) {
  BodyRef ref;
  ref.size_bytes = r.u64();
  ByteSpan id = r.raw(ref.id.size());
  if (r.ok()) std::copy(id.begin(), id.end(), ref.id.begin());
  ref.wrapped_key = r.text();
  const uint32_t n = r.count(28);
  ref.extents.reserve(n);
  for (uint32_t i = 0; i < n; ++i) {
    ExtentRef e;
    e.device = r.u32();
    e.segment = r.u32();
    e.generation = r.u64();
    e.offset_bytes = r.u32();
    e.data_bytes = r.u32();
    e.table_checksum = r.u32();
    ref.extents.push_back(e);
  }
  return ref;
}

}  // namespace holdfast
