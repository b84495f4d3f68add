// Appends groups of records to the journal. A group starts on a new block and is one write; a block that holds
// acknowledged bytes is never written again.
#pragma once

#include "storage/log/superblock.h"
#include "storage/log/volume.h"

namespace holdfast {

struct JournalEntry {
  uint8_t type = 0;
  Lsn lsn = 0;
  Bytes payload;
  RecordAddress address;   // filled in by append()
  uint32_t checksum = 0;   // likewise
};

// Used by one thread (the committer).
class JournalWriter {
 public:
  // `superblock` is updated and written whenever a new journal segment becomes the head.
  JournalWriter(const Volume& volume, Superblock& superblock) : volume_(volume), superblock_(superblock) {}

  // Room for payloads of this size in one group, in any segment.
  uint64_t max_group_bytes() const;

  // Writes the entries as one group, without flushing. Opens a new segment first when this one is full.
  // After an error nothing more may be appended to the segment: call abandon_segment().
  Result<void> append(std::vector<JournalEntry>& entries, Lsn flushed_lsn, Purpose purpose);

  // The last group again: same bytes, same place. For a device session that was lost before the flush.
  Result<void> rewrite_last_group();

  // Makes the next append open a new segment.
  void abandon_segment();

 private:
  Result<void> open_segment(Lsn first_lsn, Purpose purpose);
  // On a sparse device: room for the segment's bytes up to `end_bytes`, and for more to come.
  Result<void> make_room(uint64_t end_bytes);

  const Volume& volume_;
  Superblock& superblock_;
  bool open_ = false;
  SegmentContext context_;
  uint64_t used_bytes_ = 0;
  uint64_t room_bytes_ = 0;  // of the segment's, made
  AlignedBuffer group_;
  size_t group_bytes_ = 0;
  uint64_t group_at_ = 0;  // on the device
};

}  // namespace holdfast
