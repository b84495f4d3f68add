#include "storage/log/segment_header.h"

namespace holdfast {

namespace {
constexpr uint64_t kMagic = 0x3130474553465348;  // "HSFSEG01"
constexpr size_t kChecksumAt = 8;
}  // namespace

Bytes encode_segment_header(const Layout& layout, const SegmentHeader& h) {
  ByteWriter w;
  w.u64(kMagic);
  w.u32(0);
  w.u8(static_cast<uint8_t>(h.kind));
  w.u8(0);
  w.u16(0);
  w.raw(layout.pool_id);
  w.u32(layout.device_id);
  w.u32(h.segment);
  w.u64(h.generation);
  w.u64(h.first_lsn);
  w.text(h.wrapped_key);
  Bytes out = w.take();
  out.resize(layout.block_bytes);
  const uint32_t seed = layout.checksum_seed(h.segment, h.generation, 0);
  store_le(out.data() + kChecksumAt, crc32c(ByteSpan(out).subspan(kChecksumAt + 4), seed));
  return out;
}

Result<SegmentHeader> decode_segment_header(const Layout& layout, uint32_t segment, ByteSpan block) {
  ByteReader r(block);
  const uint64_t magic = r.u64();
  const uint32_t checksum = r.u32();
  SegmentHeader h;
  h.kind = static_cast<SegmentKind>(r.u8());
  r.raw(3);
  ByteSpan pool_id = r.raw(16);
  const uint32_t device_id = r.u32();
  h.segment = r.u32();
  h.generation = r.u64();
  h.first_lsn = r.u64();
  h.wrapped_key = r.text();
  if (magic != kMagic || pool_id.size() != 16 ||
      !std::equal(pool_id.begin(), pool_id.end(), layout.pool_id.begin()) || device_id != layout.device_id) {
    return error(Code::kNotFound, "no header of this pool in segment " + std::to_string(segment));
  }
  const uint32_t seed = layout.checksum_seed(segment, h.generation, 0);
  if (!r.ok() || h.segment != segment || checksum != crc32c(block.subspan(kChecksumAt + 4), seed)) {
    return error(Code::kCorrupt, "the header of segment " + std::to_string(segment) + " fails its check");
  }
  return h;
}

}  // namespace holdfast
