#include "storage/log/volume.h"

#include "storage/log/segment_header.h"

namespace holdfast {

namespace {

Result<uint64_t> offset_on_device(const Volume& volume, uint32_t segment, uint64_t offset, uint64_t bytes) {
  if (segment >= volume.layout.segment_count || offset + bytes > volume.layout.segment_bytes) {
    return error(Code::kCorrupt, Subject::kPool, "a reference points outside the pool");
  }
  return volume.layout.segment_offset(segment) + offset;
}

}  // namespace

Result<void> read_segment(const Volume& volume, uint32_t segment, uint64_t offset, MutableByteSpan out) {
  HF_TRY(const uint64_t at, offset_on_device(volume, segment, offset, out.size()));
  return volume.device->read(at, out);
}

Result<bool> read_segment_cached(const Volume& volume, uint32_t segment, uint64_t offset, MutableByteSpan out) {
  HF_TRY(const uint64_t at, offset_on_device(volume, segment, offset, out.size()));
  return volume.device->read_cached(at, out);
}

void fill_segment_cache(const Volume& volume, uint32_t segment, uint64_t offset, uint64_t length) {
  if (const auto at = offset_on_device(volume, segment, offset, length)) volume.device->fill_cache(*at, length);
}

Result<SegmentHeader> read_journal_header(const Volume& volume, uint32_t segment, Generation generation) {
  AlignedBuffer block(volume.layout.block_bytes);
  HF_CHECK(read_segment(volume, segment, 0, block.span()));
  HF_TRY(SegmentHeader header, decode_segment_header(volume.layout, segment, block.span()));
  if (header.generation != generation || header.kind != SegmentKind::kJournal) {
    return error(Code::kCorrupt, Subject::kPool, "segment " + std::to_string(segment) + " is in another life");
  }
  return header;
}

Result<SegmentContext> journal_context(const Volume& volume, uint32_t segment, Generation generation) {
  HF_TRY(const SegmentHeader header, read_journal_header(volume, segment, generation));
  SegmentContext context{&volume.layout, segment, generation, std::nullopt};
  if (volume.pool_key) {
    HF_TRY(context.key, unwrap_key(*volume.pool_key, header.wrapped_key, "segment"));
  }
  return context;
}

}  // namespace holdfast
