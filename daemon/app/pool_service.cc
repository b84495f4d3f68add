#include "daemon/app/pool_service.h"

#include "storage/base/log.h"
#include "storage/object/index_snapshot.h"

namespace holdfast {

LocalPools::LocalPools(Store& store) : store_(store) {
  for (Pool* pool : store.pools()) scrubbers_.push_back(std::make_unique<Scrubber>(*pool));
}

Result<size_t> LocalPools::find(const std::string& name) const {
  for (size_t i = 0; i < store_.pools().size(); ++i) {
    if (store_.pools()[i]->name() == name) return i;
  }
  return error(Code::kNotFound, Subject::kPool, "no pool \"" + name + "\"");
}

std::vector<PoolStatus> LocalPools::pools() const {
  std::vector<PoolStatus> all;
  for (Pool* pool : store_.pools()) {
    PoolStatus s;
    s.name = pool->name();
    s.device = pool->volume().device->info().name;
    s.reason = pool->read_only_reason();
    s.state = s.reason.empty() ? "online" : "read-only";
    if (s.reason.empty() && !pool->failure().empty()) {
      s.state = "degraded";
      s.reason = pool->failure();
    } else if (!pool->volume().device->held()) {
      s.state = "degraded";
      s.reason = "the device does not answer, or another host may hold it";
    }
    s.encrypted = pool->superblock().encrypted;
    s.time_unconfirmed = pool->time().unconfirmed();
    s.epoch = pool->superblock().epoch;
    const SpaceReport space = pool->volume().allocator->report();
    s.capacity_bytes = space.capacity_bytes;
    s.free_bytes = space.free_bytes;
    s.reserve_bytes = space.reserve_bytes;
    s.live_bytes = space.live_bulk_bytes;
    s.journal_live_bytes = space.live_journal_bytes;
    s.garbage_bytes = space.garbage_bytes;
    s.segments = pool->volume().layout.segment_count;
    s.free_segments = space.free_segments;
    s.journal_segments = space.journal_segments;
    s.bulk_segments = space.bulk_segments;
    const Committer::Statistics statistics = pool->statistics();
    s.visible_lsn = statistics.visible_lsn;
    s.applied_lsn = statistics.applied_lsn;
    s.groups = statistics.groups;
    s.records = statistics.records;
    s.epoch_restarts = statistics.epoch_restarts;
    s.device_sessions_lost = pool->volume().device->incarnation();
    if (const auto kept = pool->snapshot_lsns()) s.snapshot_lsn = kept->first;
    const CacheStatistics cache = pool->cache_statistics();
    s.cache_max_bytes = cache.max_bytes;
    s.cache_bytes = cache.bytes;
    s.cache_hits = cache.hits;
    s.cache_misses = cache.misses;
    all.push_back(std::move(s));
  }
  return all;
}

bool LocalPools::ready() const {
  for (Pool* pool : store_.pools()) {
    if (!pool->read_only_reason().empty() || !pool->failure().empty() || !pool->volume().device->held()) return false;
  }
  return true;
}

Result<void> LocalPools::start_scrub(const std::string& pool) {
  HF_TRY(const size_t i, find(pool));
  return scrubbers_[i]->start();
}

Result<ScrubStatus> LocalPools::scrub_status(const std::string& pool) const {
  HF_TRY(const size_t i, find(pool));
  const ScrubReport r = scrubbers_[i]->report();
  return ScrubStatus{r.running, r.versions_checked, r.bytes_checked, r.damaged, r.started_ms, r.finished_ms, r.damage, r.stopped_by};
}

Result<void> LocalPools::take_snapshot(const std::string& name) {
  HF_TRY(const size_t i, find(name));
  Pool& pool = *store_.pools()[i];
  return holdfast::take_snapshot(pool, pool.index().path() + ".snapshot");
}

Result<void> LocalPools::confirm_time(const std::string& name) {
  HF_TRY(const size_t i, find(name));
  Pool& pool = *store_.pools()[i];
  spdlog::warn("audit: pool {}: pool time {} ms confirmed to follow the host's clock", name, pool.time().now_ms());
  pool.time().confirm();
  return pool.note_time();
}

Result<BucketUsage> LocalPools::usage(const std::string& bucket) const {
  for (Pool* pool : store_.pools()) {
    const auto found = pool->catalog().bucket(bucket);
    if (!found) continue;
    HF_CHECK(pool->settle());
    HF_TRY(const Index::Counts c, pool->index().counts(found->id));
    return BucketUsage{c.objects, c.object_bytes, c.versions, c.version_bytes, c.uploads, c.upload_bytes};
  }
  return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + bucket + "\"");
}

}  // namespace holdfast
