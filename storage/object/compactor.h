// Wins space back: moves what lives out of bulk segments that are mostly garbage, and lets the oldest journal
// segment go after appending its live records again.
#pragma once

#include <stop_token>

#include "storage/log/extent_copy.h"
#include "storage/log/journal_reader.h"
#include "storage/object/pool.h"

namespace holdfast {

// Used by one thread at a time.
class Compactor {
 public:
  // Units end early, with kUnavailable, once `stop` is asked for.
  explicit Compactor(Pool& pool, std::stop_token stop = {}) : pool_(pool), stop_(std::move(stop)) {}

  // Does one bounded unit (one segment). True: there is more to do now.
  Result<bool> run_unit();

  // The units, for operators and tests.
  Result<void> compact_bulk(uint32_t segment);
  Result<bool> trim_journal();  // false: nothing can leave

 private:
  std::optional<uint32_t> worst_bulk_segment() const;
  // The journal segment that was begun after this one.
  Result<SegmentHeader> next_journal_segment(Generation after) const;
  bool journal_worth_trimming() const;
  Result<void> move_version(const ExtentOwner& owner, uint32_t segment);
  Result<void> move_part(const ExtentOwner& owner, uint32_t segment);
  // Writes the extents of `body` that lie in `segment` elsewhere; the rest stays.
  Result<BodyRef> move_extents(const BodyRef& body, uint32_t segment, std::vector<uint32_t>& held);
  struct Batch {
    std::vector<std::pair<Fact, RecordAddress>> items;
    uint64_t bytes = 0;
  };
  Result<void> collect(const JournalRecord& record, Batch& batch);
  Result<void> append_again(Batch& batch);
  Result<void> let_snapshots_pass(Lsn last);

  Pool& pool_;
  const std::stop_token stop_;
};

// Does no record of this journal segment hold what the index still refers to?
Result<bool> is_dead_journal(const Volume& volume, Index& index, uint32_t segment, Generation generation);

}  // namespace holdfast
