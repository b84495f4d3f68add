// One opened pool: a device with its journal, its bulk streams, its index and its committer.
#pragma once

#include <atomic>

#include "storage/base/clock.h"
#include "storage/base/local_lock.h"
#include "storage/base/worker.h"
#include "storage/log/body_writer.h"
#include "storage/log/heartbeat_device.h"
#include "storage/log/journal_reader.h"
#include "storage/object/committer.h"
#include "storage/object/pool_time.h"

namespace holdfast {

struct PoolCreateOptions {
  std::string name;
  uint64_t segment_bytes = 0;  // 0: chosen by the device's size
  bool encrypted = true;
  std::optional<SecretKey> master_key;    // needed when encrypted
  std::optional<SecretKey> recovery_key;  // likewise
  bool overwrite = false;  // replace a pool that is there, unless it holds locked versions
};

struct PoolOpenOptions {
  std::string index_path;                 // the SQLite file; its directory exists
  std::optional<SecretKey> master_key;
  std::optional<SecretKey> recovery_key;  // instead of the master key
  bool accept_loss = false;               // open a damaged log for writing, up to the damage
  bool rebuild_index = false;
  bool ignore_snapshots = false;          // rebuild from the journal alone
  std::string holder;                     // host and process, for people
  bool take_over = false;                 // do not watch the heartbeat of a device without reservations
  bool moved_device = false;              // the pool was copied to this device on purpose
  bool host_lock = true;                  // one opening of a pool on this host; off in tests that hold copies
  HeartbeatTiming heartbeat;
  std::optional<uint64_t> cache_bytes;    // of bodies in memory; default: 256 MiB, none on files, which the kernel caches
  bool background = true;                 // checkpoints, compaction, reclaiming; off in tests that count writes
};

// Thread-safe after open().
class Pool {
 public:
  // Formats the device. kAlreadyExists when it holds a pool and `overwrite` is off.
  static Result<Superblock> create(BlockDevice& device, const PoolCreateOptions& options, Clock& clock, Random& random);

  static Result<std::unique_ptr<Pool>> open(std::unique_ptr<BlockDevice> device, const PoolOpenOptions& options,
                                            Clock& clock, Random& random);
  ~Pool();

  const std::string& name() const { return superblock_.pool_name; }
  const Superblock& superblock() const { return superblock_; }
  // Why the pool takes no writes; empty when it does.
  const std::string& read_only_reason() const { return read_only_; }

  Volume& volume() { return volume_; }
  Index& index() { return *index_; }
  Overlay& overlay() { return overlay_; }
  Catalog& catalog() { return *catalog_; }
  Clock& clock() { return clock_; }
  Random& random() { return random_; }
  PoolTime& time() { return time_; }
  // Nothing where there is none.
  CacheStatistics cache_statistics() const { return cache_ ? cache_->statistics() : CacheStatistics{}; }
  BulkStream& put_stream() { return put_stream_; }
  BulkStream& compaction_stream() { return compaction_stream_; }
  // The key and identity of a journal segment; cached, since every small read needs one.
  Result<SegmentContext> segment_context(uint32_t segment, Generation generation);
  std::optional<SegmentContext> cached_segment_context(uint32_t segment, Generation generation);
  JournalWriter& journal() { return *journal_; }

  // kFailedPrecondition on a pool opened read-only.
  Result<void> commit(CommitRequest request);
  // See Committer::submit().
  void submit(CommitRequest request, Committer::Done done);
  Result<void> run_exclusive(std::function<Result<void>()> work);
  // Afterwards the index answers for everything acknowledged before.
  Result<void> settle();
  // Writes pool time into the log, from where the next opening takes it.
  Result<void> note_time();
  // The newest and the oldest kept index snapshot; 0 without one.
  Result<std::pair<Lsn, Lsn>> snapshot_lsns();
  std::mutex& snapshot_mutex() { return snapshot_mutex_; }  // one snapshot at a time
  Result<void> write_superblock_now();  // only inside run_exclusive()
  Superblock& mutable_superblock() { return superblock_; }
  Committer::Statistics statistics() const;
  std::string failure() const;

  // Ends background work, finishes what is queued, closes the index cleanly.
  void close();

 private:
  Pool(std::unique_ptr<BlockDevice> device, Clock& clock, Random& random);
  Result<void> check_writable() const;
  Result<void> check_identity(const PoolOpenOptions& options);
  Result<void> hold_device(const PoolOpenOptions& options);
  Result<void> load_key(const PoolOpenOptions& options);
  void make_cache(const PoolOpenOptions& options);
  Result<void> take_epoch(const PoolOpenOptions& options);
  Result<void> open_index(JournalReader& journal, const PoolOpenOptions& options);
  Result<bool> index_agrees(JournalReader& journal);
  Result<void> replay(JournalReader& journal, const PoolOpenOptions& options);
  Result<void> adopt_segments(const JournalReader& journal);
  Result<std::vector<uint32_t>> drop_dead_journal(const JournalReader& journal);
  Result<void> start_epoch();
  void make_room();
  void start_background();

  std::unique_ptr<BlockDevice> device_;
  Clock& clock_;
  Random& random_;
  Superblock superblock_;
  Volume volume_;
  std::unique_ptr<Allocator> allocator_;
  std::unique_ptr<ReadCache> cache_;
  std::unique_ptr<Index> index_;
  Overlay overlay_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<JournalWriter> journal_;
  BulkStream put_stream_;
  BulkStream compaction_stream_;
  PoolTime time_;
  std::mutex snapshot_mutex_;
  LocalLock host_lock_;
  Lsn last_lsn_ = 0;
  std::string read_only_;
  std::unique_ptr<Committer> committer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::shared_mutex contexts_mutex_;
  std::map<std::pair<uint32_t, Generation>, SegmentContext> contexts_;
};

}  // namespace holdfast
