#include "storage/object/pool.h"

#include <algorithm>
#include <filesystem>

#include "storage/base/log.h"
#include "storage/object/compactor.h"
#include "storage/object/index_snapshot.h"
#include "storage/object/space_return.h"

namespace holdfast {

namespace {
// A checkpoint's flush holds up the flush of a group: few, and none of them large.
constexpr auto kCheckpointPoll = std::chrono::milliseconds(250);
constexpr int kPollsPerCheckpoint = 20;
constexpr Lsn kCheckpointRecords = 25'000;
constexpr auto kSpacePause = std::chrono::milliseconds(1000);
constexpr auto kClockPause = std::chrono::milliseconds(3600 * 1000);
constexpr auto kSnapshotPause = std::chrono::milliseconds(60 * 1000);
// A snapshot is due after so many records, and of a large index after more: it writes at most so many bytes for each of them. What a lost index
// has to read again after its snapshot is then about an eighth of its objects.
constexpr uint64_t kSnapshotEveryRecords = 200'000;
constexpr uint64_t kSnapshotBytesPerRecord = 1600;

uint64_t records_per_snapshot(const std::string& index_path) {
  std::error_code unknown;
  const auto bytes = std::filesystem::file_size(index_path, unknown);
  return unknown ? kSnapshotEveryRecords : std::max(kSnapshotEveryRecords, bytes / kSnapshotBytesPerRecord);
}
}  // namespace

Result<void> Pool::check_writable() const {
  if (read_only_.empty()) return {};
  return error(Code::kFailedPrecondition, Subject::kPool, "pool " + name() + " is read-only: " + read_only_);
}

Result<void> Pool::commit(CommitRequest request) {
  HF_CHECK(check_writable());
  return committer_->commit(std::move(request));
}

void Pool::submit(CommitRequest request, Committer::Done done) {
  if (auto writable = check_writable(); !writable) return done(std::move(writable));
  committer_->submit(std::move(request), std::move(done));
}

Result<void> Pool::run_exclusive(std::function<Result<void>()> work) {
  if (!committer_) return error(Code::kFailedPrecondition, Subject::kPool, "pool " + name() + " is read-only");
  return committer_->run_exclusive(std::move(work));
}

Result<void> Pool::note_time() {
  CommitRequest request;
  request.purpose = Purpose::kDelete;
  request.decide = [this](CommitContext&) -> Result<std::vector<Fact>> {
    return std::vector<Fact>{SettingPut{"pool-time-ms", std::to_string(time_.now_ms())}};
  };
  return commit(std::move(request));
}

Result<std::pair<Lsn, Lsn>> Pool::snapshot_lsns() {
  std::pair<Lsn, Lsn> lsns{0, 0};
  HF_CHECK(run_exclusive([&]() -> Result<void> {
    const auto& snapshots = superblock_.snapshots;
    if (!snapshots.empty()) lsns = {snapshots.front().lsn, snapshots.back().lsn};
    return {};
  }));
  return lsns;
}

Result<void> Pool::settle() { return committer_ ? committer_->settle() : Result<void>{}; }

std::optional<SegmentContext> Pool::cached_segment_context(uint32_t segment, Generation generation) {
  std::shared_lock lock(contexts_mutex_);
  const auto found = contexts_.find({segment, generation});
  return found == contexts_.end() ? std::nullopt : std::optional(found->second);
}

Result<SegmentContext> Pool::segment_context(uint32_t segment, Generation generation) {
  constexpr size_t kMaxCached = 4096;
  if (auto cached = cached_segment_context(segment, generation)) return std::move(*cached);
  HF_TRY(SegmentContext context, journal_context(volume_, segment, generation));
  std::unique_lock lock(contexts_mutex_);
  if (contexts_.size() >= kMaxCached) contexts_.clear();
  contexts_.insert_or_assign({segment, generation}, context);
  return context;
}

Result<void> Pool::write_superblock_now() { return write_superblock(*device_, superblock_); }

Committer::Statistics Pool::statistics() const {
  return committer_ ? committer_->statistics() : Committer::Statistics{};
}

std::string Pool::failure() const { return committer_ ? committer_->failure() : read_only_; }

void Pool::start_background() {
  workers_.push_back(std::make_unique<Worker>("checkpoint", [this, last = last_lsn_, polls = 0](std::stop_token stop) mutable {
    const Lsn applied = index_->applied().lsn;
    if (++polls < kPollsPerCheckpoint && applied < last + kCheckpointRecords) return kCheckpointPoll;
    auto done = index_->checkpoint(stop);
    if (!done) spdlog::warn("{}", done.error().to_string());
    last = applied;
    polls = 0;
    return kCheckpointPoll;
  }));
  workers_.push_back(std::make_unique<Worker>("space", [this, space = SpaceReturn(*allocator_, *device_)](std::stop_token stop) mutable {
    allocator_->reclaim();
    const bool more_to_return = space.step(std::chrono::steady_clock::now());
    Compactor compactor(*this, stop);
    auto more = compactor.run_unit();
    if (!more && !stop.stop_requested()) spdlog::warn("compaction: {}", more.error().to_string());
    const bool again = more && *more && !stop.stop_requested();
    if (again) return std::chrono::milliseconds(0);
    return more_to_return ? SpaceReturn::kPause : kSpacePause;
  }));
  workers_.push_back(std::make_unique<Worker>("pool-time", [this](std::stop_token) {
    if (auto done = note_time(); !done) spdlog::warn("pool time: {}", done.error().to_string());
    return kClockPause;
  }));
  workers_.push_back(std::make_unique<Worker>("snapshot", [this](std::stop_token stop) {
    const auto kept = snapshot_lsns();
    if (!kept || index_->applied().lsn < kept->first + records_per_snapshot(index_->path())) return kSnapshotPause;
    if (auto done = take_snapshot(*this, index_->path() + ".snapshot", stop); !done && !stop.stop_requested()) {
      spdlog::warn("index snapshot: {}", done.error().to_string());
    }
    return kSnapshotPause;
  }));
}

void Pool::close() {
  workers_.clear();
  if (!committer_) return;
  committer_->stop();
  if (committer_->failure().empty()) {
    if (auto closed = index_->close(); !closed) spdlog::warn("{}", closed.error().to_string());
  }
  committer_.reset();
}

}  // namespace holdfast
