#include "storage/sql/database.h"

#include <sqlite3.h>

namespace holdfast {

namespace {
Code code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kCorrupt;
    case SQLITE_FULL: return Code::kOutOfSpace;
    case SQLITE_INTERRUPT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kUnavailable;
    default: return Code::kIoError;
  }
}
}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  sqlite3* db = nullptr;
  const int flags = (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX;
  // Several connections of one process: their locks are its own affair, and no calls of the kernel.
  const int result = sqlite3_open_v2(path.c_str(), &db, flags, "unix-excl");
  std::unique_ptr<Database> database(new Database(db));
  if (result != SQLITE_OK) return error(database->last_error("open " + path));
  sqlite3_busy_timeout(db, 10'000);
  return database;
}

Database::~Database() {
  cache_.clear();
  sqlite3_close_v2(db_);
}

void Database::on_progress(std::function<bool()> go_on) {
  constexpr int kSteps = 20'000;
  go_on_ = std::move(go_on);
  const auto ask = [](void* self) { return static_cast<Database*>(self)->go_on_() ? 0 : 1; };
  sqlite3_progress_handler(db_, kSteps, go_on_ ? +ask : nullptr, this);
}

Status Database::last_error(std::string_view doing) const {
  return Status(code_of(sqlite3_errcode(db_)), Subject::kIndex,
                "index: " + std::string(doing) + ": " + sqlite3_errmsg(db_));
}

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error(last_error(sql.substr(0, 60)));
  return {};
}

Statement& Database::prepare(const char* sql) {
  auto& slot = cache_[sql];
  if (!slot) {
    sqlite3_stmt* stmt = nullptr;
    // A failed preparation leaves a null statement, which every later step() reports.
    sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
    slot = std::make_unique<Statement>(*this, stmt);
  }
  return slot->reset();
}

void Database::reset_all() {
  for (sqlite3_stmt* s = sqlite3_next_stmt(db_, nullptr); s != nullptr; s = sqlite3_next_stmt(db_, s)) {
    if (sqlite3_stmt_busy(s) != 0) sqlite3_reset(s);
  }
}

Result<int> Database::checkpoint(Checkpoint how) {
  constexpr int kModes[] = {SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART, SQLITE_CHECKPOINT_TRUNCATE};
  int in_log = 0;
  const int result = sqlite3_wal_checkpoint_v2(db_, nullptr, kModes[static_cast<size_t>(how)], &in_log, nullptr);
  if (result != SQLITE_OK && result != SQLITE_BUSY) return error(last_error("checkpoint"));
  return in_log;
}

Statement::~Statement() { sqlite3_finalize(stmt_); }

Statement& Statement::reset() {
  if (stmt_ != nullptr) sqlite3_reset(stmt_);
  next_ = 1;
  bad_ = stmt_ == nullptr;
  return *this;
}

Statement& Statement::bind(int64_t value) {
  bad_ = bad_ || sqlite3_bind_int64(stmt_, next_++, value) != SQLITE_OK;
  return *this;
}

Statement& Statement::bind_blob(ByteSpan value) {
  static const char kEmpty = 0;  // a null pointer would bind NULL, not an empty blob
  const void* data = value.empty() ? static_cast<const void*>(&kEmpty) : value.data();
  bad_ = bad_ || sqlite3_bind_blob64(stmt_, next_++, data, value.size(), SQLITE_STATIC) != SQLITE_OK;
  return *this;
}

Statement& Statement::bind_text(std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  bad_ = bad_ || sqlite3_bind_text(stmt_, next_++, data, static_cast<int>(value.size()), SQLITE_STATIC) != SQLITE_OK;
  return *this;
}

Result<bool> Statement::step() {
  if (bad_) return error(db_.last_error("prepare"));
  const int result = sqlite3_step(stmt_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  auto status = db_.last_error(sqlite3_sql(stmt_));
  sqlite3_reset(stmt_);
  return error(std::move(status));
}

Result<void> Statement::run() {
  auto row = step();
  if (stmt_ != nullptr) sqlite3_reset(stmt_);
  if (!row) return std::unexpected(row.error());
  return {};
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(stmt_, column); }

ByteSpan Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(stmt_, column);
  return {static_cast<const std::byte*>(data), static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::string Statement::text(int column) const {
  const ByteSpan bytes = blob(column);
  return std::string(as_text(bytes));
}

}  // namespace holdfast
