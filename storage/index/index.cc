#include "storage/index/index.h"

#include "storage/base/paced_file.h"
#include "storage/index/index_reader.h"

namespace holdfast {

namespace {

constexpr const char* kSchemaVersion = "2";

constexpr const char* kSchema = R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE buckets(id INTEGER PRIMARY KEY, data BLOB, home BLOB);
CREATE TABLE versions(
  bucket INTEGER, key BLOB, seq INTEGER,
  latest INTEGER, current INTEGER, flags INTEGER, size INTEGER, modified_ms INTEGER,
  etag BLOB, checksum BLOB, home BLOB, attributes BLOB, parts BLOB,
  PRIMARY KEY(bucket, key, seq DESC)) WITHOUT ROWID;
CREATE INDEX versions_current ON versions(bucket, key, current) WHERE current = 1;  -- covers a seek for keys alone
CREATE TABLE uploads(id BLOB PRIMARY KEY, bucket INTEGER, key BLOB, data BLOB, home BLOB) WITHOUT ROWID;
CREATE INDEX uploads_by_key ON uploads(bucket, key, id);
CREATE TABLE parts(upload BLOB, number INTEGER, data BLOB, home BLOB, PRIMARY KEY(upload, number)) WITHOUT ROWID;
CREATE TABLE completed(id BLOB PRIMARY KEY, bucket INTEGER, key BLOB, seq INTEGER, result BLOB, forget_ms INTEGER,
  home BLOB) WITHOUT ROWID;
CREATE TABLE extents(segment INTEGER, offset INTEGER, bytes INTEGER, bucket INTEGER, owner BLOB, number INTEGER,
  is_part INTEGER, PRIMARY KEY(segment, offset)) WITHOUT ROWID;
CREATE TABLE usage(segment INTEGER PRIMARY KEY, generation INTEGER, bytes INTEGER);
CREATE TABLE users(access_key BLOB PRIMARY KEY, data BLOB, sealed BLOB, home BLOB) WITHOUT ROWID;
CREATE TABLE settings(name BLOB PRIMARY KEY, value BLOB, home BLOB) WITHOUT ROWID;
)sql";

Result<void> set_pragmas(Database& db) {
  // NORMAL: after a power loss the index may be older, never torn; the log brings it forward again.
  return db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0;"
                    "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;");
}

Result<std::string> meta_value(Database& db, const char* name) {
  Statement& s = db.prepare("SELECT value FROM meta WHERE name = ?").bind_text(name);
  HF_TRY(const bool row, s.step());
  std::string value = row ? s.text(0) : std::string();
  s.reset();
  return value;
}

}  // namespace

Result<std::unique_ptr<Index>> Index::open(const std::string& path, const std::string& pool_id, uint32_t block_bytes) {
  std::unique_ptr<Index> index(new Index(path, block_bytes));
  HF_TRY(index->writer_, Database::open(path, Database::Mode::kReadWrite));
  HF_CHECK(index->writer_->execute("PRAGMA page_size=8192"));
  HF_CHECK(set_pragmas(*index->writer_));
  HF_CHECK(index->prepare_schema(pool_id));
  HF_TRY(index->checkpointer_, Database::open(path, Database::Mode::kReadWrite));
  HF_CHECK(set_pragmas(*index->checkpointer_));
  return index;
}

Index::~Index() = default;

Result<void> Index::prepare_schema(const std::string& pool_id) {
  Database& db = *writer_;
  Statement& tables = db.prepare("SELECT COUNT(*) FROM sqlite_master WHERE name = 'meta'");
  HF_TRY(const bool row, tables.step());
  const bool fresh = !row || tables.integer(0) == 0;
  tables.reset();
  if (fresh) {
    HF_CHECK(db.execute(std::string("BEGIN;") + kSchema + "COMMIT;"));
    HF_CHECK(db.prepare("INSERT INTO meta VALUES('version', ?)").bind_text(kSchemaVersion).run());
    HF_CHECK(db.prepare("INSERT INTO meta VALUES('pool', ?)").bind_text(pool_id).run());
  } else {
    HF_TRY(const std::string version, meta_value(db, "version"));
    HF_TRY(const std::string pool, meta_value(db, "pool"));
    if (version != kSchemaVersion) return error(Code::kCorrupt, Subject::kIndex, "the index has another schema version");
    if (pool != pool_id) return error(Code::kCorrupt, Subject::kIndex, "the index belongs to another pool");
    HF_TRY(const std::string clean, meta_value(db, "clean"));
    if (clean != "yes") {
      Statement& check = db.prepare("PRAGMA quick_check(1)");
      HF_TRY(const bool any, check.step());
      const std::string verdict = any ? check.text(0) : std::string();
      check.reset();
      if (verdict != "ok") return error(Code::kCorrupt, Subject::kIndex, "the index fails its check: " + verdict);
    }
    Statement& applied = db.prepare("SELECT value FROM meta WHERE name = 'applied'");
    HF_TRY(const bool known, applied.step());
    if (known) {
      ByteReader r(applied.blob(0));
      applied_.lsn = r.u64();
      applied_.checksum = r.u32();
    }
    applied.reset();
  }
  return db.execute("DELETE FROM meta WHERE name = 'clean'");
}

Index::Applied Index::applied() const {
  std::lock_guard lock(mutex_);
  return applied_;
}

Result<void> Index::checkpoint(std::stop_token stop) {
  constexpr int kLargeLogPages = 16 << 10;  // 128 MiB
  // SQLite flushes its log first, and whoever flushes the same disk meanwhile waits: little may be left to flush. (No locks are
  // on the log itself, which this opens and closes: they are on the database and on the shared memory beside it.)
  if (!PacedFile(path_ + "-wal", std::move(stop)).write_out()) return {};
  HF_TRY(const int pages, checkpointer_->checkpoint(Database::Checkpoint::kPassive));
  if (pages > kLargeLogPages) HF_CHECK(checkpointer_->checkpoint(Database::Checkpoint::kRestart));
  return {};
}

Result<void> Index::close() {
  HF_CHECK(writer_->execute("INSERT OR REPLACE INTO meta VALUES('clean', 'yes')"));
  HF_TRY([[maybe_unused]] const int pages, checkpointer_->checkpoint(Database::Checkpoint::kTruncate));
  return {};
}

Result<Index::Applied> Index::copy_to(const std::string& path, std::stop_token stop) {
  HF_TRY(auto reader, this->reader());
  PacedFile pace(path, std::move(stop));
  reader.db().on_progress([&pace] { return pace.step(); });
  const Result<void> copied = reader.db().prepare("VACUUM INTO ?").bind_text(path).run();
  reader.db().on_progress({});
  HF_CHECK(copied);
  HF_TRY(auto db, Database::open(path, Database::Mode::kReadWrite));
  Statement& row = db->prepare("SELECT value FROM meta WHERE name = 'applied'");
  HF_TRY(const bool known, row.step());
  Applied applied;
  if (known) {
    ByteReader r(row.blob(0));
    applied.lsn = r.u64();
    applied.checksum = r.u32();
  }
  return applied;
}

Result<Index::Reader> Index::reader(Patience patience) {
  constexpr size_t kMaxReaders = 8;
  {
    std::unique_lock lock(mutex_);
    const auto any = [&] { return !idle_readers_.empty() || readers_ < kMaxReaders; };
    if (patience == Patience::kNone && !any()) return error(Code::kUnavailable, Subject::kIndex, "every reader of the index is lent");
    reader_back_.wait(lock, any);
    if (!idle_readers_.empty()) {
      auto db = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return Reader(*this, std::move(db));
    }
    ++readers_;
  }
  auto db = Database::open(path_, Database::Mode::kReadOnly);
  Result<void> tuned = db ? (*db)->execute("PRAGMA cache_size=-4096") : Result<void>(std::unexpected(db.error()));
  if (!tuned) {
    std::lock_guard lock(mutex_);
    --readers_;
    reader_back_.notify_one();
    return std::unexpected(tuned.error());
  }
  return Reader(*this, std::move(*db));
}

Bytes encode_home(const RecordAddress& home) {
  ByteWriter w;
  w.u32(home.device);
  w.u32(home.segment);
  w.u64(home.generation);
  w.u32(home.offset_bytes);
  w.u32(home.total_bytes);
  return w.take();
}

RecordAddress decode_home(ByteSpan bytes) {
  ByteReader r(bytes);
  RecordAddress home;
  home.device = r.u32();
  home.segment = r.u32();
  home.generation = r.u64();
  home.offset_bytes = r.u32();
  home.total_bytes = r.u32();
  return home;
}

}  // namespace holdfast
