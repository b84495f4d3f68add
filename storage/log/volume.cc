#include "storage/log/volume.h"

#include "storage/log/segment_header.h"

namespace holdfast {

Result<void> read_segment(const Volume& volume, uint32_t segment, uint64_t offset, MutableByteSpan out) {
  if (segment >= volume.layout.segment_count || offset + out.size() > volume.layout.segment_bytes) {
    return error(Code::kCorrupt, Subject::kPool, "a reference points outside the pool");
  }
  return volume.device->read(volume.layout.segment_offset(segment) + offset, out);
}

Result<SegmentContext> journal_context(const Volume& volume, uint32_t segment, Generation generation) {
  AlignedBuffer block(volume.layout.block_bytes);
  HF_CHECK(read_segment(volume, segment, 0, block.span()));
  HF_TRY(SegmentHeader header, decode_segment_header(volume.layout, segment, block.span()));
  if (header.generation != generation || header.kind != SegmentKind::kJournal) {
    return error(Code::kCorrupt, Subject::kPool, "segment " + std::to_string(segment) + " is in another life");
  }
  SegmentContext context{&volume.layout, segment, generation, std::nullopt};
  if (volume.pool_key) {
    HF_TRY(context.key, unwrap_key(*volume.pool_key, header.wrapped_key, "segment"));
  }
  return context;
}

}  // namespace holdfast
