// Opening a pool: take a new epoch, bring the index to the end of the log, seal what earlier epochs left open,
// and only then serve.
#include <filesystem>

#include "storage/base/log.h"
#include "storage/object/compactor.h"
#include "storage/object/index_snapshot.h"
#include "storage/object/pool.h"

namespace holdfast {

namespace {

constexpr size_t kReplayBatch = 1024;

std::string pool_id_text(const Superblock& s) { return hex(s.layout.pool_id); }

// Moves an unusable index out of the way, for people to look at.
void move_aside(const std::string& path, const std::string& why) {
  spdlog::warn("index {} is rebuilt: {}", path, why);
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::rename(path + suffix, path + ".unusable" + suffix, ignored);
  }
}

}  // namespace

Pool::Pool(std::unique_ptr<BlockDevice> device, Clock& clock, Random& random)
    : device_(std::move(device)),
      clock_(clock),
      random_(random),
      put_stream_(volume_, Purpose::kPut),
      compaction_stream_(volume_, Purpose::kCompaction),
      time_(clock) {}

Pool::~Pool() { close(); }

Result<std::unique_ptr<Pool>> Pool::open(std::unique_ptr<BlockDevice> device, const PoolOpenOptions& options,
                                         Clock& clock, Random& random) {
  std::unique_ptr<Pool> pool(new Pool(std::move(device), clock, random));
  Pool& p = *pool;
  HF_TRY(p.superblock_, read_superblock(*p.device_));
  const Layout& layout = p.superblock_.layout;
  if (kHeaderAreaBytes + layout.segment_count * layout.segment_bytes > p.device_->info().size_bytes) {
    return error(Code::kFailedPrecondition, Subject::kDevice,
                 p.device_->info().name + " is smaller than its pool: is it a partial copy?");
  }
  HF_CHECK(p.check_identity(options));
  HF_CHECK(p.load_key(options));
  // One LUN can be reached by several names, which its device cannot know.
  if (options.host_lock) {
    HF_TRY(p.host_lock_, LocalLock::take("pool " + pool_id_text(p.superblock_), p.device_->info().name));
  }
  HF_CHECK(p.hold_device(options));
  p.volume_.device = p.device_.get();
  p.volume_.layout = layout;
  p.volume_.random = &random;
  p.allocator_ = std::make_unique<Allocator>(layout, p.superblock_.epoch + 1);
  p.volume_.allocator = p.allocator_.get();
  p.make_cache(options);
  p.catalog_ = std::make_unique<Catalog>(p.volume_.pool_key);
  p.journal_ = std::make_unique<JournalWriter>(p.volume_, p.superblock_);

  auto journal = JournalReader::open(p.volume_, p.superblock_, false);
  if (!journal && journal.error().code() == Code::kCorrupt) {
    if (!options.accept_loss) p.read_only_ = journal.error().message();
    journal = JournalReader::open(p.volume_, p.superblock_, true);
  }
  if (!journal) return std::unexpected(journal.error());
  HF_CHECK(p.open_index(*journal, options));
  HF_CHECK(p.replay(*journal, options));
  HF_CHECK(p.catalog_->load(*p.index_));
  HF_CHECK(p.adopt_segments(*journal));
  const std::string noted = p.catalog_->setting("pool-time-ms");
  p.time_.start(noted.empty() ? 0 : std::stoll(noted));
  if (p.read_only_.empty()) {
    HF_TRY(const std::vector<uint32_t> dead, p.drop_dead_journal(*journal));
    HF_CHECK(p.take_epoch(options));
    for (uint32_t segment : dead) p.allocator_->retire_journal(segment);
    if (!dead.empty()) p.allocator_->reclaim();
    HF_CHECK(p.start_epoch());
    p.make_room();
    if (options.background) p.start_background();
  } else {
    spdlog::error("pool {} is read-only: {}", p.name(), p.read_only_);
  }
  return pool;
}

void Pool::make_cache(const PoolOpenOptions& options) {
  constexpr uint64_t kDefaultBytes = 256 << 20;
  const uint64_t bytes = options.cache_bytes.value_or(device_->info().has_page_cache ? 0 : kDefaultBytes);
  if (bytes == 0) return;
  cache_ = std::make_unique<ReadCache>(bytes);
  volume_.cache = cache_.get();
}

// A copy of a LUN holds the pool as it was: serving it beside, or instead of, the original loses what came after.
Result<void> Pool::check_identity(const PoolOpenOptions& options) {
  const std::string& made_on = superblock_.device_identity;
  const std::string& here = device_->info().identity;
  if (made_on == here || !is_lasting(here)) return {};
  if (is_lasting(made_on) && !options.moved_device) {
    return error(Code::kPermissionDenied, Subject::kDevice,
                 device_->info().name + " is not the device of pool \"" + superblock_.pool_name + "\" but a copy of it: it is " + here +
                     ", the pool is on " + made_on + ". If the pool was moved on purpose, start once with --moved-device");
  }
  superblock_.device_identity = here;  // written with the epoch
  return {};
}

Result<void> Pool::hold_device(const PoolOpenOptions& options) {
  if (device_->info().exclusive) return {};
  HeartbeatOptions heartbeat;
  heartbeat.pool_id = superblock_.layout.pool_id;
  heartbeat.holder = options.holder;
  heartbeat.take_over = options.take_over;
  heartbeat.timing = options.heartbeat;
  HF_TRY(device_, HeartbeatDevice::claim(std::move(device_), heartbeat, random_));
  // Another host may have opened the pool while this one waited for its turn.
  const uint32_t before = superblock_.epoch;
  HF_TRY(superblock_, read_superblock(*device_));
  if (superblock_.epoch != before) {
    return error(Code::kPermissionDenied, Subject::kDevice, "\"" + superblock_.holder + "\" has opened the pool meanwhile");
  }
  return check_identity(options);
}

Result<void> Pool::load_key(const PoolOpenOptions& options) {
  if (!superblock_.encrypted) return {};
  const std::string context(as_text(superblock_.layout.pool_id));
  if (!options.master_key && !options.recovery_key) {
    return error(Code::kPermissionDenied, Subject::kPool, "pool \"" + superblock_.pool_name + "\" is encrypted and no key was given");
  }
  auto key = options.master_key ? unwrap_key(*options.master_key, superblock_.key_by_master, context)
                                : unwrap_key(*options.recovery_key, superblock_.key_by_recovery, context);
  if (!key) {
    return error(Code::kPermissionDenied, Subject::kPool,
                 "pool \"" + superblock_.pool_name + "\" does not open with the key given");
  }
  volume_.pool_key = std::move(*key);
  return {};
}

Result<void> Pool::take_epoch(const PoolOpenOptions& options) {
  ++superblock_.epoch;
  // The random part tells this opening from every other, also one by the same process.
  std::byte opening[8];
  random_.fill(opening);
  superblock_.holder = options.holder + " " + hex(opening);
  HF_CHECK(write_superblock(*device_, superblock_));
  device_->set_login_check([holder = superblock_.holder](const BlockDevice::LoginRead& read) -> Result<void> {
    HF_TRY(const Superblock now, read_superblock(read, "the LUN"));
    if (now.holder == holder) return {};
    return error(Code::kPermissionDenied, Subject::kDevice, "\"" + now.holder + "\" has opened the pool since");
  });
  return {};
}

// Does the index hold the same record at its position as the log?
Result<bool> Pool::index_agrees(JournalReader& journal) {
  const Index::Applied applied = index_->applied();
  if (applied.lsn == 0) return true;
  auto checksum = journal.checksum_of(applied.lsn);
  // Beyond the log's end it proves damage or rollback, which the replay reports; before its start it is stale.
  if (!checksum && checksum.error().code() == Code::kNotFound) {
    return !journal.segments().empty() && applied.lsn >= journal.segments().front().first_lsn;
  }
  if (!checksum) return std::unexpected(checksum.error());
  return *checksum == applied.checksum;
}

Result<void> Pool::open_index(JournalReader& journal, const PoolOpenOptions& options) {
  const std::string pool_id = pool_id_text(superblock_);
  std::error_code ignored;
  if (options.rebuild_index && std::filesystem::exists(options.index_path, ignored)) {
    move_aside(options.index_path, "asked for");
  }
  const bool existed = std::filesystem::exists(options.index_path, ignored);
  auto index = Index::open(options.index_path, pool_id, superblock_.layout.block_bytes);
  if (index) {
    index_ = std::move(*index);
    HF_TRY(const bool agrees, index_agrees(journal));
    const bool empty = index_->applied().lsn == 0;
    if (agrees && !(empty && !superblock_.snapshots.empty())) return {};
    index_.reset();
    if (existed) move_aside(options.index_path, "it does not match the log");
  } else if (index.error().code() == Code::kCorrupt) {
    move_aside(options.index_path, index.error().message());
  } else {
    return std::unexpected(index.error());
  }
  for (const SnapshotRef& snapshot : superblock_.snapshots) {
    if (options.ignore_snapshots) break;
    std::filesystem::remove(options.index_path, ignored);
    if (auto restored = restore_snapshot(volume_, snapshot, options.index_path); !restored) {
      spdlog::warn("index snapshot at record {}: {}", snapshot.lsn, restored.error().to_string());
      continue;
    }
    auto opened = Index::open(options.index_path, pool_id, superblock_.layout.block_bytes);
    if (!opened) continue;
    index_ = std::move(*opened);
    HF_TRY(const bool agrees, index_agrees(journal));
    if (agrees) {
      spdlog::info("index of pool {} restored from the snapshot at record {}", name(), snapshot.lsn);
      return {};
    }
    spdlog::warn("index snapshot at record {} does not match the log", snapshot.lsn);
    index_.reset();
  }
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(options.index_path + suffix, ignored);
  HF_TRY(index_, Index::open(options.index_path, pool_id, superblock_.layout.block_bytes));
  return {};
}

Result<void> Pool::replay(JournalReader& journal, const PoolOpenOptions& options) {
  struct Item {
    JournalRecord record;
    Fact fact;
  };
  std::vector<Item> batch;
  auto apply = [&]() -> Result<void> {
    std::vector<IndexEntry> entries;
    for (const Item& item : batch) {
      entries.push_back({item.record.header.lsn, item.record.header.checksum, item.record.address, &item.fact});
    }
    HF_TRY([[maybe_unused]] auto freed, index_->apply(entries));
    batch.clear();
    return {};
  };
  const Index::Applied applied = index_->applied();
  auto end = journal.replay(
      applied.lsn, applied.lsn,
      [&](const JournalRecord& record) -> Result<void> {
        HF_TRY(Fact fact, decode_fact(record.header.type, record.payload));
        if (auto* put = std::get_if<VersionPut>(&fact)) put->inline_body.clear();
        batch.push_back({{record.header, record.address, {}}, std::move(fact)});
        return batch.size() < kReplayBatch ? Result<void>{} : apply();
      },
      [&](const JournalRecord& record) -> Result<bool> {
        HF_TRY(const Fact fact, decode_fact(record.header.type, record.payload));
        std::vector<StoredPart> parts;
        if (const auto* put = std::get_if<VersionPut>(&fact)) parts = put->version.parts;
        if (const auto* part = std::get_if<PartPut>(&fact)) parts.push_back(part->part);
        for (const StoredPart& p : parts) {
          auto whole = BodyReader(volume_, p.body).verify();
          if (!whole && whole.error().code() != Code::kCorrupt) return std::unexpected(whole.error());
          if (!whole) return false;
        }
        return true;
      });
  if (!end) return std::unexpected(end.error());
  HF_CHECK(apply());
  last_lsn_ = end->last_lsn;
  if (end->damage.empty()) return {};
  if (!options.accept_loss) {
    read_only_ = end->damage;
    return {};
  }
  spdlog::error("pool {}: loss accepted: {}", name(), end->damage);
  if (index_->applied().lsn <= last_lsn_) return {};
  // The index knows of records that the log has lost: it must tell the log's story alone.
  index_.reset();
  move_aside(options.index_path, "loss accepted");
  HF_TRY(index_, Index::open(options.index_path, pool_id_text(superblock_), superblock_.layout.block_bytes));
  return replay(journal, options);
}

Result<void> Pool::adopt_segments(const JournalReader& journal) {
  HF_TRY(const auto live, index_->live_segments());
  std::map<uint32_t, SegmentLive> by_segment;
  for (const SegmentLive& s : live) by_segment[s.segment] = s;
  for (const JournalReader::Segment& s : journal.segments()) {
    const auto found = by_segment.find(s.context.segment);
    const bool same = found != by_segment.end() && found->second.generation == s.context.generation;
    allocator_->adopt(s.context.segment, SegmentKind::kJournal, s.context.generation, same ? found->second.bytes : 0);
    by_segment.erase(s.context.segment);
  }
  // The head that the superblock names is kept even when nothing was ever accepted in it: its header must stay
  // readable until the superblock names another.
  const bool head_known = std::any_of(journal.segments().begin(), journal.segments().end(), [&](const auto& s) {
    return s.context.segment == superblock_.journal_head_segment;
  });
  if (superblock_.journal_head != 0 && !head_known) {
    allocator_->adopt(superblock_.journal_head_segment, SegmentKind::kJournal, superblock_.journal_head, 0);
    by_segment.erase(superblock_.journal_head_segment);
  }
  for (const auto& [segment, usage] : by_segment) {
    allocator_->adopt(segment, SegmentKind::kBulk, usage.generation, usage.bytes);
  }
  for (const SnapshotRef& snapshot : superblock_.snapshots) {
    hold_snapshot(volume_, snapshot);
  }
  return {};
}

// Every opening begins a journal segment, however little is written in it: a pool that is opened often would fill with
// them. Those at the old end that hold nothing alive leave here; the superblock that takes the epoch says so.
Result<std::vector<uint32_t>> Pool::drop_dead_journal(const JournalReader& journal) {
  std::vector<uint32_t> dead;
  const auto& segments = journal.segments();
  const auto usage = allocator_->usage();
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    const SegmentContext& s = segments[i].context;
    if (s.segment == superblock_.journal_head_segment || usage[s.segment].live_bytes > 0) break;
    HF_TRY(const bool nothing_lives, is_dead_journal(volume_, *index_, s.segment, s.generation));
    if (!nothing_lives) break;
    // A kept snapshot needs what follows it. Where room is short the log alone has to do: it is complete.
    const bool needed = !superblock_.snapshots.empty() && segments[i + 1].first_lsn > superblock_.snapshots.back().lsn + 1;
    if (needed && allocator_->report().free_segments + dead.size() >= kReserveSegments) break;
    if (needed) {
      spdlog::warn("pool {}: space is short; its index snapshots are given up", name());
      for (const SnapshotRef& snapshot : superblock_.snapshots) release_snapshot(volume_, snapshot);
      superblock_.snapshots.clear();
    }
    superblock_.journal_first = segments[i + 1].context.generation;
    dead.push_back(s.segment);
  }
  return dead;
}

// Below the reserve room is won back before anybody is served: a daemon that dies soon after each start would never
// come to it.
void Pool::make_room() {
  Compactor compactor(*this);
  for (uint32_t turn = 0; turn < superblock_.layout.segment_count; ++turn) {
    if (allocator_->report().free_segments >= kReserveSegments) return;
    const auto more = compactor.run_unit();
    if (!more) spdlog::warn("compaction: {}", more.error().to_string());
    if (!more || !*more) return;
    allocator_->reclaim();
  }
}

Result<void> Pool::start_epoch() {
  std::vector<JournalEntry> start(1);
  start[0].type = static_cast<uint8_t>(Fact(EpochStart{}).index());
  start[0].lsn = last_lsn_ + 1;
  const EpochStart fact{superblock_.epoch, last_lsn_, clock_.wall_ms()};
  start[0].payload = encode_fact(fact);
  const uint64_t incarnation = device_->incarnation();
  HF_CHECK(journal_->append(start, last_lsn_, Purpose::kOpening));
  HF_CHECK(device_->flush());
  if (device_->incarnation() != incarnation) {
    return error(Code::kUnavailable, Subject::kDevice, "the device's session ended while the pool was opened");
  }
  allocator_->add_live(start[0].address.segment, start[0].address.generation, 0);
  last_lsn_ = start[0].lsn;
  const Fact applied(fact);
  const IndexEntry entry{start[0].lsn, start[0].checksum, start[0].address, &applied};
  HF_TRY([[maybe_unused]] auto freed, index_->apply({&entry, 1}));
  Committer::Parts parts{&volume_, &superblock_, journal_.get(), index_.get(), &overlay_, catalog_.get(), &clock_};
  committer_ = std::make_unique<Committer>(parts, last_lsn_);
  return {};
}

}  // namespace holdfast
