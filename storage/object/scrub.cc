#include "storage/object/scrub.h"

#include "storage/base/log.h"
#include "storage/log/body_reader.h"

namespace holdfast {

namespace {
constexpr uint32_t kBatch = 256;
constexpr size_t kMaxFindings = 100;

Result<void> check_record_of(Pool& pool, const RecordAddress& home) {
  HF_TRY(const SegmentContext context, pool.segment_context(home.segment, home.generation));
  const uint64_t from = home.offset_bytes / 512 * 512;
  AlignedBuffer raw(align_up(home.offset_bytes + home.total_bytes, 512) - from);
  HF_CHECK(read_segment(pool.volume(), home.segment, from, raw.span()));
  HF_CHECK(open_record(context, home.offset_bytes, raw.span().subspan(home.offset_bytes - from, home.total_bytes), nullptr));
  return {};
}
}  // namespace

Scrubber::~Scrubber() = default;

Result<void> Scrubber::start() {
  HF_CHECK(pool_.settle());  // what was acknowledged before is checked
  std::lock_guard lock(mutex_);
  if (report_.running) return error(Code::kFailedPrecondition, Subject::kPool, "a scrub of pool " + pool_.name() + " is running");
  report_ = ScrubReport{};
  report_.running = true;
  report_.started_ms = pool_.clock().wall_ms();
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  return {};
}

ScrubReport Scrubber::report() const {
  std::lock_guard lock(mutex_);
  return report_;
}

void Scrubber::run(std::stop_token stop) {
  Index::ScanCursor cursor;
  for (;;) {
    // The pin covers look-up and reading of the batch: nothing of it is reused meanwhile.
    const auto pin = pool_.volume().allocator->readers().enter();
    auto batch = pool_.index().scan_versions(cursor, kBatch);
    if (!batch || batch->empty() || stop.stop_requested()) {
      std::lock_guard lock(mutex_);
      if (!batch) report_.stopped_by = batch.error().to_string();
      if (batch && stop.stop_requested()) report_.stopped_by = "the pool was closed";
      report_.running = false;
      report_.finished_ms = pool_.clock().wall_ms();
      return;
    }
    for (const StoredVersion& version : *batch) {
      if (stop.stop_requested()) break;
      check(version);
    }
  }
}

void Scrubber::check(const StoredVersion& version) {
  Result<void> whole = check_record_of(pool_, version.home);
  for (const StoredPart& part : version.parts) {
    if (whole) whole = BodyReader(pool_.volume(), part.body).verify();
  }
  std::lock_guard lock(mutex_);
  ++report_.versions_checked;
  report_.bytes_checked += version.info.size_bytes;
  if (whole) return;
  ++report_.damaged;
  const auto bucket = pool_.catalog().bucket(version.info.bucket);
  const std::string finding = (bucket ? bucket->name : "?") + "/" + version.info.key + " version " +
                              std::to_string(version.info.seq) + ": " + whole.error().message();
  spdlog::error("scrub of pool {}: {}", pool_.name(), finding);
  if (report_.damage.size() < kMaxFindings) report_.damage.push_back(finding);
}

}  // namespace holdfast
