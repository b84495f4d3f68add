#include "storage/object/compactor.h"

#include <chrono>
#include <set>

#include "storage/base/rest.h"
#include "storage/log/journal_reader.h"
#include "storage/object/index_snapshot.h"

namespace holdfast {

namespace {
// A segment that is at least half garbage is worth the writes; when space is short, a tenth is.
constexpr double kGarbageNormal = 0.5, kGarbageShort = 0.1;
constexpr uint32_t kJournalKeepSegments = 3;
// Clients' commits wait behind a batch, which needs the index before and after it: few records, then a rest of twice the time that they took.
constexpr size_t kBatchFacts = 32;
constexpr int kRests = 2;

bool space_is_short(const SpaceReport& r) { return r.free_segments < kReserveSegments + 4; }

// What a record says, each with the home it had there. A completion says two things.
Result<std::vector<Fact>> facts_of(const JournalRecord& record) {
  HF_TRY(Fact fact, decode_fact(record.header.type, record.payload));
  std::vector<Fact> facts;
  if (auto* put = std::get_if<VersionPut>(&fact); put != nullptr && !put->upload_id.empty()) {
    facts.push_back(UploadDone{put->upload_id, put->version.info.bucket, put->version.info.key, put->version.info.seq,
                               put->upload_result, put->upload_forget_ms});
    put->upload_id.clear();
  }
  facts.push_back(std::move(fact));
  return facts;
}

}  // namespace

Result<bool> is_dead_journal(const Volume& volume, Index& index, uint32_t segment, Generation generation) {
  bool dead = true;
  HF_CHECK(read_journal_segment(volume, segment, generation, [&](const JournalRecord& record) -> Result<void> {
    HF_TRY(const std::vector<Fact> facts, facts_of(record));
    for (const Fact& fact : facts) {
      HF_TRY(const bool live, index.is_home(fact, record.address));
      dead = dead && !live;
    }
    return {};
  }));
  return dead;
}

std::optional<uint32_t> Compactor::worst_bulk_segment() const {
  const auto usage = pool_.volume().allocator->usage();
  const double threshold = space_is_short(pool_.volume().allocator->report()) ? kGarbageShort : kGarbageNormal;
  const double size = static_cast<double>(pool_.volume().layout.segment_bytes);
  std::optional<uint32_t> worst;
  uint64_t least_live = UINT64_MAX;
  for (uint32_t s = 0; s < usage.size(); ++s) {
    const SegmentUsage& u = usage[s];
    if (u.kind != SegmentKind::kBulk || u.state != SegmentUsage::State::kSealed || u.live_bytes == 0) continue;
    if (1.0 - static_cast<double>(u.live_bytes) / size < threshold || u.live_bytes >= least_live) continue;
    least_live = u.live_bytes;
    worst = s;
  }
  return worst;
}

bool Compactor::journal_worth_trimming() const {
  const SpaceReport r = pool_.volume().allocator->report();
  if (r.journal_segments <= kJournalKeepSegments) return false;
  const uint64_t used = r.journal_segments * pool_.volume().layout.segment_bytes;
  return used > 2 * r.live_journal_bytes + kJournalKeepSegments * pool_.volume().layout.segment_bytes ||
         (space_is_short(r) && used > r.live_journal_bytes + r.live_journal_bytes / 4);
}

Result<bool> Compactor::run_unit() {
  if (journal_worth_trimming()) {
    HF_TRY(const bool trimmed, trim_journal());
    if (trimmed) return true;
  }
  const SpaceReport r = pool_.volume().allocator->report();
  // Without need, garbage is left alone: most of it dies with its neighbours.
  if (r.free_bytes > r.capacity_bytes / 4) return false;
  const auto segment = worst_bulk_segment();
  if (!segment) return false;
  HF_CHECK(compact_bulk(*segment));
  return true;
}

Result<void> Compactor::compact_bulk(uint32_t segment) {
  HF_CHECK(pool_.settle());
  auto pin = pool_.volume().allocator->readers().enter();
  HF_TRY(const auto owners, pool_.index().extent_owners(segment));
  std::set<std::tuple<BucketId, std::string, VersionSeq, std::string, uint32_t>> done;
  for (const ExtentOwner& owner : owners) {
    if (stop_.stop_requested()) return error(Code::kUnavailable, Subject::kPool, "the pool is closing");
    if (!done.emplace(owner.bucket, owner.key, owner.seq, owner.upload, owner.part).second) continue;
    const auto began = std::chrono::steady_clock::now();
    if (owner.upload.empty()) {
      HF_CHECK(move_version(owner, segment));
    } else {
      HF_CHECK(move_part(owner, segment));
    }
    if (!space_is_short(pool_.volume().allocator->report())) rest_after(began);
  }
  return pool_.settle();
}

Result<BodyRef> Compactor::move_extents(const BodyRef& body, uint32_t segment, std::vector<uint32_t>& held) {
  BodyRef moved = body;
  moved.extents.clear();
  for (size_t i = 0; i < body.extents.size(); ++i) {
    if (body.extents[i].segment != segment) {
      moved.extents.push_back(body.extents[i]);
      continue;
    }
    HF_TRY(auto copies, copy_extent(pool_.volume(), pool_.compaction_stream(), body, i, held));
    moved.extents.insert(moved.extents.end(), copies.begin(), copies.end());
  }
  return moved;
}

Result<void> Compactor::move_version(const ExtentOwner& owner, uint32_t segment) {
  HF_TRY(const auto found, pool_.index().version(owner.bucket, owner.key, owner.seq));
  if (!found) return {};
  CommitRequest request;
  request.purpose = Purpose::kCompaction;
  request.settled = true;
  request.incarnation = pool_.volume().device->incarnation();
  std::vector<StoredPart> moved = found->parts;
  std::vector<uint32_t> held;
  Result<void> result;
  for (StoredPart& part : moved) {
    auto body = move_extents(part.body, segment, held);
    if (!body) {
      result = std::unexpected(body.error());
      break;
    }
    if (*body != part.body) request.bodies.push_back(*body);
    part.body = std::move(*body);
  }
  if (result) {
    request.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
      HF_TRY(auto now, c.index.version(owner.bucket, owner.key, owner.seq));
      // Removed or moved meanwhile: what was copied is garbage.
      const bool same = now && now->parts.size() == found->parts.size() && now->home == found->home;
      if (!same) return std::vector<Fact>{};
      VersionPut put;
      put.version = *now;
      put.version.parts = std::move(moved);
      return std::vector<Fact>{std::move(put)};
    };
    result = pool_.commit(std::move(request));
  }
  for (uint32_t s : held) pool_.volume().allocator->release(s);
  return result;
}

Result<void> Compactor::move_part(const ExtentOwner& owner, uint32_t segment) {
  HF_TRY(const auto found, pool_.index().part(owner.upload, owner.part));
  if (!found) return {};
  std::vector<uint32_t> held;
  auto body = move_extents(found->body, segment, held);
  Result<void> result;
  if (!body) {
    result = std::unexpected(body.error());
  } else {
    CommitRequest request;
    request.purpose = Purpose::kCompaction;
    request.settled = true;
    request.incarnation = pool_.volume().device->incarnation();
    request.bodies.push_back(*body);
    request.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
      HF_TRY(auto now, c.index.part(owner.upload, owner.part));
      if (!now || now->body != found->body) return std::vector<Fact>{};
      StoredPart part = std::move(*now);
      part.body = *body;
      return std::vector<Fact>{PartPut{owner.upload, std::move(part)}};
    };
    result = pool_.commit(std::move(request));
  }
  for (uint32_t s : held) pool_.volume().allocator->release(s);
  return result;
}

Result<void> Compactor::collect(const JournalRecord& record, Batch& batch) {
  HF_TRY(std::vector<Fact> facts, facts_of(record));
  bool lives = false;
  for (Fact& fact : facts) {
    // What is dead now stays dead: to find most of it here spares those who wait for the committer.
    HF_TRY(const bool live, pool_.index().is_home(fact, record.address));
    if (live) batch.items.emplace_back(std::move(fact), record.address);
    lives = lives || live;
  }
  if (lives) batch.bytes += record.header.total_bytes;
  const bool full = batch.items.size() >= kBatchFacts || batch.bytes >= pool_.volume().layout.segment_bytes / 16;
  return full ? append_again(batch) : Result<void>{};
}

// One commit for the whole batch: those that still live are appended in their present state.
Result<void> Compactor::append_again(Batch& batch) {
  if (batch.items.empty()) return {};
  CommitRequest request;
  request.purpose = Purpose::kCompaction;
  request.settled = true;
  request.estimated_bytes = batch.bytes;
  request.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    std::vector<Fact> living;
    for (auto& [fact, home] : batch.items) {
      HF_TRY(const bool live, c.index.is_home(fact, home));
      const auto* done = std::get_if<UploadDone>(&fact);
      if (!live || (done != nullptr && done->forget_ms < c.now_ms)) continue;
      if (auto* put = std::get_if<VersionPut>(&fact)) {
        const ObjectInfo& i = put->version.info;
        HF_TRY(auto now, c.index.version(i.bucket, i.key, i.seq));
        put->removes.clear();
        put->version.info.attributes = now->info.attributes;
        put->version.parts = now->parts;
      }
      living.push_back(std::move(fact));
    }
    return living;
  };
  const auto began = std::chrono::steady_clock::now();
  HF_CHECK(pool_.commit(std::move(request)));
  if (!space_is_short(pool_.volume().allocator->report())) rest_after(began, kRests);
  batch = {};
  return {};
}

// The journal from the older kept snapshot on stays, since that snapshot needs it: newer ones let it go.
Result<void> Compactor::let_snapshots_pass(Lsn last) {
  for (int i = 0; i < 2; ++i) {
    HF_TRY(const auto snapshots, pool_.snapshot_lsns());
    if (snapshots.second == 0 || snapshots.second >= last) return {};
    HF_CHECK(take_snapshot(pool_, pool_.index().path() + ".snapshot", stop_));
  }
  return {};
}

Result<SegmentHeader> Compactor::next_journal_segment(Generation after) const {
  const auto usage = pool_.volume().allocator->usage();
  std::optional<uint32_t> next;
  for (uint32_t s = 0; s < usage.size(); ++s) {
    if (usage[s].kind != SegmentKind::kJournal || usage[s].state == SegmentUsage::State::kFree || usage[s].generation <= after) continue;
    if (!next || usage[s].generation < usage[*next].generation) next = s;
  }
  if (!next) return error(Code::kInternal, Subject::kPool, "the journal has no younger segment");
  return read_journal_header(pool_.volume(), *next, usage[*next].generation);
}

Result<bool> Compactor::trim_journal() {
  const auto usage = pool_.volume().allocator->usage();
  std::optional<uint32_t> oldest;
  for (uint32_t s = 0; s < usage.size(); ++s) {
    if (usage[s].kind != SegmentKind::kJournal || usage[s].state != SegmentUsage::State::kSealed) continue;
    if (!oldest || usage[s].generation < usage[*oldest].generation) oldest = s;
  }
  if (!oldest) return false;
  const Generation generation = usage[*oldest].generation;
  HF_CHECK(pool_.settle());
  HF_TRY(const SegmentHeader after, next_journal_segment(generation));
  HF_CHECK(let_snapshots_pass(after.first_lsn - 1));
  Batch batch;
  HF_CHECK(read_journal_segment(pool_.volume(), *oldest, generation, [&](const JournalRecord& r) -> Result<void> {
    // What was moved stays moved; the rest of the segment waits for the next time.
    if (stop_.stop_requested()) return error(Code::kUnavailable, Subject::kPool, "the pool is closing");
    return collect(r, batch);
  }));
  HF_CHECK(append_again(batch));
  HF_CHECK(pool_.run_exclusive([&]() -> Result<void> {
    pool_.mutable_superblock().journal_first = after.generation;
    return pool_.write_superblock_now();
  }));
  pool_.volume().allocator->retire_journal(*oldest);
  return true;
}

}  // namespace holdfast
