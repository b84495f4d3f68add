// Wins space back: moves what lives out of bulk segments that are mostly garbage, and lets the oldest journal
// segment go after appending its live records again.
#pragma once

#include "storage/log/extent_copy.h"
#include "storage/log/journal_reader.h"
#include "storage/object/pool.h"

namespace holdfast {

// Used by one thread at a time.
class Compactor {
 public:
  explicit Compactor(Pool& pool) : pool_(pool) {}

  // Does one bounded unit (one segment). True: there is more to do now.
  Result<bool> run_unit();

  // The units, for operators and tests.
  Result<void> compact_bulk(uint32_t segment);
  Result<bool> trim_journal();  // false: nothing can leave

 private:
  std::optional<uint32_t> worst_bulk_segment() const;
  bool journal_worth_trimming() const;
  Result<void> move_version(const ExtentOwner& owner, uint32_t segment);
  Result<void> move_part(const ExtentOwner& owner, uint32_t segment);
  // Writes the extents of `body` that lie in `segment` elsewhere; the rest stays.
  Result<BodyRef> move_extents(const BodyRef& body, uint32_t segment, std::vector<uint32_t>& held);
  Result<void> append_again(const JournalRecord& record);
  Result<void> append_if_home(Fact fact, const RecordAddress& home);

  Pool& pool_;
};

}  // namespace holdfast
