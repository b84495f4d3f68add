#include "storage/log/journal_writer.h"

#include "storage/log/segment_header.h"

namespace holdfast {

namespace {
constexpr uint64_t kRoomBytes = 1 << 20;  // made at once
}

uint64_t JournalWriter::max_group_bytes() const {
  return volume_.layout.segment_bytes - 2 * volume_.layout.block_bytes;
}

Result<void> JournalWriter::append(std::vector<JournalEntry>& entries, Lsn flushed_lsn, Purpose purpose) {
  const bool sealed = volume_.encrypted();
  uint64_t need = 0;
  for (const JournalEntry& e : entries) need += record_bytes(e.payload.size(), sealed);
  need = align_up(need, volume_.layout.block_bytes);
  if (need > max_group_bytes()) return error(Code::kInvalidArgument, Subject::kPool, "a journal record is too large for a segment");
  if (!open_ || used_bytes_ + need > volume_.layout.segment_bytes) HF_CHECK(open_segment(entries.front().lsn, purpose));

  HF_CHECK(make_room(used_bytes_ + need));
  if (group_.size() < need) group_ = AlignedBuffer(std::max<uint64_t>(need, 256 << 10));
  uint64_t at = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    JournalEntry& e = entries[i];
    RecordHeader h;
    h.lsn = e.lsn;
    h.flushed_lsn = flushed_lsn;
    h.type = e.type;
    h.last_in_group = i + 1 == entries.size();
    const auto offset = static_cast<uint32_t>(used_bytes_ + at);
    encode_record(context_, offset, h, e.payload, group_.span().subspan(at));
    e.address = {volume_.layout.device_id, context_.segment, context_.generation, offset, h.total_bytes};
    e.checksum = h.checksum;
    at += h.total_bytes;
  }
  std::memset(group_.data() + at, 0, need - at);
  group_bytes_ = need;
  group_at_ = volume_.layout.segment_offset(context_.segment) + used_bytes_;
  used_bytes_ += need;
  return rewrite_last_group();
}

// A flush of one group into new blocks costs twice that of one into old ones, and a write of zeros serves for many groups.
Result<void> JournalWriter::make_room(uint64_t end_bytes) {
  if (!volume_.device->info().sparse || end_bytes <= room_bytes_) return {};
  const uint64_t to = std::min(align_up(end_bytes, kRoomBytes), volume_.layout.segment_bytes);
  AlignedBuffer zeros(to - room_bytes_);
  std::memset(zeros.data(), 0, zeros.size());
  HF_CHECK(volume_.device->write(volume_.layout.segment_offset(context_.segment) + room_bytes_, zeros.span()));
  room_bytes_ = to;
  return {};
}

Result<void> JournalWriter::rewrite_last_group() {
  return volume_.device->write(group_at_, group_.span().first(group_bytes_));
}

void JournalWriter::abandon_segment() {
  if (open_) volume_.allocator->seal(context_.segment);
  open_ = false;
}

// Header first, then the superblock that names it, each flushed: a head whose header cannot be read is damage,
// never a torn write.
Result<void> JournalWriter::open_segment(Lsn first_lsn, Purpose purpose) {
  auto lease = volume_.allocator->allocate(SegmentKind::kJournal, purpose);
  if (!lease && volume_.allocator->reclaim() > 0) {
    lease = volume_.allocator->allocate(SegmentKind::kJournal, purpose);
  }
  if (!lease) return std::unexpected(lease.error());
  abandon_segment();
  context_ = SegmentContext{&volume_.layout, lease->segment, lease->generation, std::nullopt};
  SegmentHeader header;
  header.kind = SegmentKind::kJournal;
  header.segment = lease->segment;
  header.generation = lease->generation;
  header.first_lsn = first_lsn;
  if (volume_.pool_key) {
    context_.key = SecretKey::random(*volume_.random);
    header.wrapped_key = wrap_key(*volume_.pool_key, *context_.key, "segment", *volume_.random);
  }
  open_ = true;
  used_bytes_ = room_bytes_ = volume_.layout.block_bytes;
  const uint64_t incarnation = volume_.device->incarnation();
  HF_CHECK(volume_.device->write(volume_.layout.segment_offset(lease->segment), encode_segment_header(volume_.layout, header)));
  HF_CHECK(volume_.device->flush());
  if (volume_.device->incarnation() != incarnation) {
    return error(Code::kUnavailable, Subject::kDevice, "the device's session ended while a segment was opened");
  }
  superblock_.journal_head_segment = lease->segment;
  superblock_.journal_head = lease->generation;
  if (superblock_.journal_first == 0) superblock_.journal_first = lease->generation;
  return write_superblock(*volume_.device, superblock_);
}

}  // namespace holdfast
