// Reads the journal back in LSN order and decides where it ends.
//
// The log ends at the first record that fails its check, or whose body does, above the flushed LSN. A record
// missing at or below the flushed LSN of any later record, or of the index, is damage or rollback: then nothing
// is dropped and the pool opens read-only until an operator accepts the loss.
#pragma once

#include <functional>
#include <vector>

#include "storage/log/segment_window.h"
#include "storage/log/superblock.h"
#include "storage/log/volume.h"

namespace holdfast {

struct JournalRecord {
  RecordHeader header;
  RecordAddress address;
  Bytes payload;
};

class JournalReader {
 public:
  struct Segment {
    SegmentContext context;
    Lsn first_lsn = 0;
  };
  // Takes a record in order. An error ends the replay.
  using Visit = std::function<Result<void>(const JournalRecord&)>;
  // Are the bodies that this record refers to whole? Asked only for records that may not have been flushed.
  using BodyCheck = std::function<Result<bool>(const JournalRecord&)>;

  struct End {
    Lsn last_lsn = 0;            // the last accepted record
    Lsn first_missing_lsn = 0;   // 0, or the first lost record when the log is damaged
    std::string damage;          // what was found, for people
  };

  // Reads every segment's header. A device read error is returned: it proves nothing about the log.
  // kCorrupt when the head segment that the superblock names cannot be read.
  static Result<JournalReader> open(const Volume& volume, const Superblock& superblock, bool tolerate_damage);

  // Visits all records after `after_lsn`. `known_flushed` is what the index has applied, 0 when there is none.
  // Starts at the oldest record when `after_lsn` is 0; kNotFound when the log no longer reaches back that far.
  Result<End> replay(Lsn after_lsn, Lsn known_flushed, const Visit& visit, const BodyCheck& body_check);

  // The checksum of one record; kNotFound when the log does not hold it.
  Result<uint32_t> checksum_of(Lsn lsn);

  const std::vector<Segment>& segments() const { return segments_; }

 private:
  explicit JournalReader(const Volume& volume) : volume_(&volume), window_(volume) {}
  struct Replay;

  Lsn limit_of(size_t i) const;
  Result<void> scan(size_t i, Lsn& expected, const std::function<Result<bool>(const RecordHeader&, uint32_t, ByteSpan)>& on_record);
  Result<Lsn> highest_flushed(const Segment& segment, Lsn from);

  const Volume* volume_;
  std::vector<Segment> segments_;
  Lsn flushed_elsewhere_ = 0;  // said by records of segments whose first record is gone
  SegmentWindow window_;
};

// Every valid record of one journal segment, in order; for compaction and for reading a damaged log.
Result<void> read_journal_segment(const Volume& volume, uint32_t segment, Generation generation,
                                  const JournalReader::Visit& visit);

}  // namespace holdfast
