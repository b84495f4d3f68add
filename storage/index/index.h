// The SQLite index: answers every query about what the journal says, and can be thrown away.
//
// It trails the log: apply() takes committed records in order, in transactions of its own, and remembers the last
// one with its checksum, so that an opening can tell whether it speaks of the same history.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <vector>

#include "storage/index/facts.h"
#include "storage/index/listing.h"
#include "storage/index/version_cache.h"
#include "storage/sql/database.h"

namespace holdfast {

struct IndexEntry {
  Lsn lsn = 0;
  uint32_t checksum = 0;  // the record's
  RecordAddress address;
  const Fact* fact = nullptr;
};

// Live bytes of a segment that died by a record.
struct FreedBytes {
  uint32_t segment = 0;
  Generation generation = 0;
  uint64_t bytes = 0;
};

struct SegmentLive {
  uint32_t segment = 0;
  Generation generation = 0;
  uint64_t bytes = 0;
};

// Who refers to an extent: a version (upload empty) or a part of an upload.
struct ExtentOwner {
  uint32_t offset_bytes = 0;
  BucketId bucket = 0;
  std::string key;
  VersionSeq seq = 0;
  std::string upload;
  uint32_t part = 0;
};

struct UserRow {
  User user;
  std::string sealed_secret;
};

// apply(), checkpoint() and close() are for one thread each; everything else is thread-safe and sees what was
// applied before the call.
class Index {
 public:
  struct Applied {
    Lsn lsn = 0;
    uint32_t checksum = 0;
  };

  // Opens or creates the index in the file `path`. kCorrupt when it fails its check or was made by another
  // version of this program: the caller moves it aside and rebuilds.
  static Result<std::unique_ptr<Index>> open(const std::string& path, const std::string& pool_id, uint32_t block_bytes);
  ~Index();

  const std::string& path() const { return path_; }
  Applied applied() const;
  Result<std::vector<FreedBytes>> apply(std::span<const IndexEntry> entries);
  // Moves the write-ahead log into the database, having brought it to the disk little by little. Nothing is moved when asked to stop.
  Result<void> checkpoint(std::stop_token stop);
  // Marks a clean end, which saves the next opening the full check.
  Result<void> close();
  // A consistent copy in a new file, for a snapshot. Gives the applied position that it holds.
  Result<Applied> copy_to(const std::string& path, std::stop_token stop);

  // --- versions ---
  // The read connections are few, and some are lent for long. Who may not wait for one gets kUnavailable.
  enum class Patience : uint8_t { kWaits, kNone };
  // Null pointer: there is none.
  Result<VersionPtr> version(BucketId bucket, std::string_view key, VersionSeq seq, Patience patience = Patience::kWaits);
  // The newest one; what was asked for lately is remembered.
  Result<VersionPtr> newest(BucketId bucket, std::string_view key, Patience patience = Patience::kWaits);
  // The version with the highest seq below `below`.
  Result<VersionPtr> newest_below(BucketId bucket, std::string_view key, VersionSeq below, Patience patience = Patience::kWaits);
  Result<VersionPtr> null_version(BucketId bucket, std::string_view key, Patience patience = Patience::kWaits);
  Result<ListPage> list(const ListQuery& query);
  // All versions of the pool in batches, resuming behind the cursor; empty at the end.
  struct ScanCursor {
    BucketId bucket = 0;
    std::string key;
    VersionSeq seq = 0;
    bool started = false;
  };
  Result<std::vector<StoredVersion>> scan_versions(ScanCursor& cursor, uint32_t max);
  Result<bool> has_versions(BucketId bucket);
  Result<bool> holds_locked(int64_t now_ms);

  // --- uploads ---
  Result<std::optional<Upload>> upload(std::string_view id);
  Result<std::optional<StoredPart>> part(std::string_view upload_id, uint32_t number);
  // Parts with numbers above `after`, at most `max`.
  Result<std::vector<StoredPart>> parts(std::string_view upload_id, uint32_t after, uint32_t max);
  Result<UploadPage> list_uploads(const UploadQuery& query);
  Result<std::optional<UploadDone>> completed(std::string_view upload_id);

  // --- everything else ---
  Result<std::vector<Bucket>> buckets();
  Result<std::vector<UserRow>> users();
  Result<std::map<std::string, std::string>> settings();
  Result<std::vector<SegmentLive>> live_segments();
  Result<std::vector<ExtentOwner>> extent_owners(uint32_t segment);
  // Is `home` the newest record of what `fact` describes?
  Result<bool> is_home(const Fact& fact, const RecordAddress& home);
  // Objects (current versions) and their bytes, and all versions and theirs.
  struct Counts {
    uint64_t objects = 0, object_bytes = 0, versions = 0, version_bytes = 0, uploads = 0, upload_bytes = 0;
  };
  Result<Counts> counts(BucketId bucket);
  CacheStatistics cache_statistics() const { return newest_.statistics(); }

 private:
  static constexpr uint64_t kVersionCacheBytes = 16 << 20;
  class Writer;
  class Reader;  // a read connection, lent to one call
  Index(std::string path, uint32_t block_bytes) : path_(std::move(path)), block_bytes_(block_bytes) {}
  Result<void> prepare_schema(const std::string& pool_id);
  Result<Reader> reader(Patience patience = Patience::kWaits);

  const std::string path_;
  const uint32_t block_bytes_;
  std::unique_ptr<Database> writer_;
  std::unique_ptr<Database> checkpointer_;
  VersionCache newest_{kVersionCacheBytes};
  mutable std::mutex mutex_;
  Applied applied_;
  // A bounded number of read connections, since each has a cache of its own; more callers wait their turn.
  std::condition_variable reader_back_;
  std::vector<std::unique_ptr<Database>> idle_readers_;
  size_t readers_ = 0;
};

Bytes encode_home(const RecordAddress& home);
RecordAddress decode_home(ByteSpan bytes);

}  // namespace holdfast
