#include "storage/log/extent_copy.h"

#include "storage/log/body_writer.h"

namespace holdfast {

namespace {

Status damaged(const BodyRef& body, const ExtentRef& e) {
  return Status(Code::kCorrupt, Subject::kBody,
                "body " + hex(body.id) + ", segment " + std::to_string(e.segment) + " at " +
                    std::to_string(e.offset_bytes) + ": fails its check while it is moved");
}

}  // namespace

Result<std::vector<ExtentRef>> copy_extent(const Volume& volume, BulkStream& stream, const BodyRef& body, size_t index,
                                           std::vector<uint32_t>& held) {
  const ExtentRef& from = body.extents[index];
  const Layout& layout = volume.layout;
  const bool encrypted = !body.wrapped_key.empty();
  const size_t entry = 4 + (encrypted ? kTagBytes : 0);
  const uint64_t blocks = (from.data_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes;
  AlignedBuffer old(extent_disk_bytes(from.data_bytes, encrypted, layout.block_bytes));
  HF_CHECK(read_segment(volume, from.segment, from.offset_bytes, old.span()));
  const ByteSpan table = old.span().subspan(from.data_bytes, blocks * entry);
  if (crc32c(table, layout.checksum_seed(from.segment, from.generation, from.offset_bytes)) != from.table_checksum) {
    return error(damaged(body, from));
  }
  for (uint64_t b = 0; b < blocks; ++b) {
    const uint64_t n = std::min<uint64_t>(kBodyBlockBytes, from.data_bytes - b * kBodyBlockBytes);
    if (crc32c(old.span().subspan(b * kBodyBlockBytes, n)) != load_le<uint32_t>(table.data() + b * entry)) {
      return error(damaged(body, from));
    }
  }
  std::vector<ExtentRef> copies;
  for (uint64_t at = 0; at < from.data_bytes;) {
    HF_TRY(const ExtentRoom room, stream.take(from.data_bytes - at));
    held.push_back(room.segment);
    const uint64_t first = at / kBodyBlockBytes;
    const uint64_t count = (room.data_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes;
    const ByteSpan part = table.subspan(first * entry, count * entry);
    ExtentRef to{layout.device_id, room.segment, room.generation, room.offset_bytes, room.data_bytes, 0};
    to.table_checksum = crc32c(part, layout.checksum_seed(to.segment, to.generation, to.offset_bytes));
    AlignedBuffer out(extent_disk_bytes(room.data_bytes, encrypted, layout.block_bytes));
    std::memset(out.data(), 0, out.size());
    std::memcpy(out.data(), old.data() + at, room.data_bytes);
    std::memcpy(out.data() + room.data_bytes, part.data(), part.size());
    const Bytes trailer = encode_extent_trailer(to, body.id, static_cast<uint32_t>(index), body.size_bytes);
    std::memcpy(out.data() + room.data_bytes + part.size(), trailer.data(), trailer.size());
    HF_CHECK(volume.device->write(layout.segment_offset(to.segment) + to.offset_bytes, out.span()));
    copies.push_back(to);
    at += room.data_bytes;
  }
  return copies;
}

}  // namespace holdfast
