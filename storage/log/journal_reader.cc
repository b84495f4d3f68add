#include "storage/log/journal_reader.h"

#include <algorithm>
#include <deque>

#include "storage/log/segment_header.h"

namespace holdfast {

Result<JournalReader> JournalReader::open(const Volume& volume, const Superblock& superblock, bool tolerate_damage) {
  JournalReader reader(volume);
  const Layout& layout = volume.layout;
  bool head_found = superblock.journal_head == 0;
  AlignedBuffer block(layout.block_bytes);
  for (uint32_t s = 0; s < layout.segment_count; ++s) {
    HF_CHECK(read_segment(volume, s, 0, block.span()));
    auto header = decode_segment_header(layout, s, block.span());
    if (!header || header->kind != SegmentKind::kJournal || header->generation < superblock.journal_first) continue;
    Segment segment{SegmentContext{&layout, s, header->generation, std::nullopt}, header->first_lsn};
    if (volume.pool_key) {
      HF_TRY(segment.context.key, unwrap_key(*volume.pool_key, header->wrapped_key, "segment"));
    }
    head_found = head_found || (s == superblock.journal_head_segment && header->generation == superblock.journal_head);
    reader.segments_.push_back(std::move(segment));
  }
  if (!head_found && !tolerate_damage) {
    return error(Code::kCorrupt, Subject::kPool,
                 "the newest journal segment (" + std::to_string(superblock.journal_head_segment) + ") cannot be read");
  }
  auto older = [](const Segment& a, const Segment& b) { return a.context.generation < b.context.generation; };
  std::sort(reader.segments_.begin(), reader.segments_.end(), older);
  // A segment whose first record never became readable holds nothing: an opening that was cut off, or damage
  // that shows as a gap.
  std::vector<Segment> with_records;
  for (Segment& segment : reader.segments_) {
    HF_TRY(ByteSpan bytes, reader.window_.at(segment.context.segment, layout.block_bytes, RecordHeader::kBytes));
    auto h = peek_record(bytes);
    if (h && h->total_bytes > bytes.size()) {
      HF_TRY(bytes, reader.window_.at(segment.context.segment, layout.block_bytes, h->total_bytes));
    }
    if (h && h->lsn == segment.first_lsn && check_record(segment.context, layout.block_bytes, *h, bytes)) {
      with_records.push_back(std::move(segment));
      continue;
    }
    HF_TRY(const Lsn flushed, reader.highest_flushed(segment, 0));
    reader.flushed_elsewhere_ = std::max(reader.flushed_elsewhere_, flushed);
  }
  reader.segments_ = std::move(with_records);
  return reader;
}

// Records at or above this were rejected by a later opening.
Lsn JournalReader::limit_of(size_t i) const {
  Lsn limit = UINT64_MAX;
  for (size_t later = i + 1; later < segments_.size(); ++later) limit = std::min(limit, segments_[later].first_lsn);
  return limit;
}

// Gives records of segment i in order while they are valid, continue `expected` and stay under the limit.
Result<void> JournalReader::scan(size_t i, Lsn& expected,
                                 const std::function<Result<bool>(const RecordHeader&, uint32_t, ByteSpan)>& on_record) {
  const Segment& segment = segments_[i];
  const Lsn limit = limit_of(i);
  uint64_t offset = volume_->layout.block_bytes;
  expected = segment.first_lsn;
  while (offset < volume_->layout.segment_bytes && expected < limit) {
    HF_TRY(ByteSpan bytes, window_.at(segment.context.segment, offset, RecordHeader::kBytes));
    const auto h = peek_record(bytes);
    if (!h || h->lsn != expected) return {};
    HF_TRY(bytes, window_.at(segment.context.segment, offset, h->total_bytes));
    if (!check_record(segment.context, static_cast<uint32_t>(offset), *h, bytes)) return {};
    HF_TRY(const bool go_on, on_record(*h, static_cast<uint32_t>(offset), bytes));
    ++expected;
    if (!go_on) return {};
    offset += h->total_bytes;
    if (h->last_in_group) offset = align_up(offset, volume_->layout.block_bytes);
  }
  return {};
}

// Looks at every block of a segment for records of this life above `from`: what do they say was flushed?
Result<Lsn> JournalReader::highest_flushed(const Segment& segment, Lsn from) {
  Lsn highest = 0;
  for (uint64_t offset = volume_->layout.block_bytes; offset < volume_->layout.segment_bytes;
       offset += volume_->layout.block_bytes) {
    HF_TRY(ByteSpan bytes, window_.at(segment.context.segment, offset, RecordHeader::kBytes));
    const auto h = peek_record(bytes);
    if (!h || h->lsn < from || h->total_bytes > volume_->layout.segment_bytes - offset) continue;
    HF_TRY(bytes, window_.at(segment.context.segment, offset, h->total_bytes));
    if (check_record(segment.context, static_cast<uint32_t>(offset), *h, bytes)) highest = std::max(highest, h->flushed_lsn);
  }
  return highest;
}

// Holds records back until a later one proves that they were flushed.
struct JournalReader::Replay {
  const Visit& visit;
  Lsn after;
  Lsn known_flushed;
  std::deque<JournalRecord> unproven;

  Result<void> prove(Lsn flushed) {
    known_flushed = std::max(known_flushed, flushed);
    while (!unproven.empty() && unproven.front().header.lsn <= known_flushed) {
      HF_CHECK(visit(unproven.front()));
      unproven.pop_front();
    }
    return {};
  }
};

Result<JournalReader::End> JournalReader::replay(Lsn after_lsn, Lsn known_flushed, const Visit& visit,
                                                 const BodyCheck& body_check) {
  End end;
  if (segments_.empty()) {
    end.last_lsn = after_lsn;
    if (known_flushed > 0) {
      end.first_missing_lsn = 1;
      end.damage = "no journal segment can be read";
    }
    return end;
  }
  if (after_lsn != 0 && after_lsn + 1 < segments_.front().first_lsn) {
    return error(Code::kNotFound, Subject::kIndex, "the journal no longer reaches back to record " + std::to_string(after_lsn));
  }
  Replay replay{visit, after_lsn, known_flushed, {}};
  Lsn expected = segments_.front().first_lsn;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].first_lsn > expected) break;  // a gap
    const SegmentContext& context = segments_[i].context;
    if (limit_of(i) <= after_lsn + 1 && i + 1 < segments_.size()) {  // wholly before the start
      expected = segments_[i + 1].first_lsn;
      continue;
    }
    HF_CHECK(scan(i, expected, [&](const RecordHeader& h, uint32_t offset, ByteSpan bytes) -> Result<bool> {
      HF_CHECK(replay.prove(h.flushed_lsn));
      if (h.lsn <= replay.after) return true;
      auto payload = open_record(context, offset, bytes, nullptr);
      if (!payload) return false;
      const RecordAddress address{volume_->layout.device_id, context.segment, context.generation, offset, h.total_bytes};
      replay.unproven.push_back({h, address, std::move(*payload)});
      return true;
    }));
  }
  // Look past the end: does anything prove that more was flushed?
  Lsn flushed = std::max(replay.known_flushed, flushed_elsewhere_);
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (limit_of(i) < expected) continue;
    HF_TRY(const Lsn highest, highest_flushed(segments_[i], expected));
    flushed = std::max(flushed, highest);
  }
  HF_CHECK(replay.prove(std::min(flushed, expected - 1)));
  end.last_lsn = replay.unproven.empty() ? expected - 1 : replay.unproven.front().header.lsn - 1;
  while (!replay.unproven.empty()) {
    HF_TRY(const bool whole, body_check(replay.unproven.front()));
    if (!whole) break;
    HF_CHECK(visit(replay.unproven.front()));
    end.last_lsn = replay.unproven.front().header.lsn;
    replay.unproven.pop_front();
  }
  if (flushed > end.last_lsn) {
    end.first_missing_lsn = end.last_lsn + 1;
    end.damage = "record " + std::to_string(end.last_lsn + 1) + " cannot be read, but records up to " +
                 std::to_string(flushed) + " had been made durable";
  }
  return end;
}

Result<uint32_t> JournalReader::checksum_of(Lsn lsn) {
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].first_lsn > lsn || limit_of(i) <= lsn) continue;
    std::optional<uint32_t> found;
    Lsn expected = 0;
    HF_CHECK(scan(i, expected, [&](const RecordHeader& h, uint32_t, ByteSpan) -> Result<bool> {
      if (h.lsn == lsn) found = h.checksum;
      return !found;
    }));
    if (found) return *found;
  }
  return error(Code::kNotFound, Subject::kIndex, "the journal holds no record " + std::to_string(lsn));
}

Result<void> read_journal_segment(const Volume& volume, uint32_t segment, Generation generation,
                                  const JournalReader::Visit& visit) {
  HF_TRY(const SegmentContext context, journal_context(volume, segment, generation));
  SegmentWindow window(volume);
  uint64_t offset = volume.layout.block_bytes;
  while (offset < volume.layout.segment_bytes) {
    HF_TRY(ByteSpan bytes, window.at(segment, offset, RecordHeader::kBytes));
    JournalRecord record;
    const auto h = peek_record(bytes);
    if (!h) return {};
    HF_TRY(bytes, window.at(segment, offset, h->total_bytes));
    if (!check_record(context, static_cast<uint32_t>(offset), *h, bytes)) return {};
    HF_TRY(record.payload, open_record(context, static_cast<uint32_t>(offset), bytes, &record.header));
    record.address = {volume.layout.device_id, segment, generation, static_cast<uint32_t>(offset), h->total_bytes};
    HF_CHECK(visit(record));
    offset += h->total_bytes;
    if (h->last_in_group) offset = align_up(offset, volume.layout.block_bytes);
  }
  return {};
}

}  // namespace holdfast
