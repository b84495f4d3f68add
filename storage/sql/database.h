// RAII over SQLite. One Database is one connection and is used by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/base/bytes.h"

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast {

class Statement;

class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;

  // One or more statements without results.
  Result<void> execute(const std::string& sql);
  // A prepared statement, kept for the next call with the same text (which must be a literal). Reset on return.
  Statement& prepare(const char* sql);
  // Ends whatever is still being read, and with it the connection's view of the past.
  void reset_all();
  // Moves what it can of the write-ahead log into the database. kPassive waits for nobody; kRestart holds up writers until all is moved, so that
  // the log begins anew; kTruncate gives back its space, too, at the price of getting it again. The pages that were in the log.
  enum class Checkpoint : uint8_t { kPassive, kRestart, kTruncate };
  Result<int> checkpoint(Checkpoint how);
  // Called every few milliseconds of a statement's work, on its thread; false ends the statement with an error. Empty: no more.
  void on_progress(std::function<bool()> go_on);
  Status last_error(std::string_view doing) const;
  sqlite3* handle() { return db_; }

 private:
  explicit Database(sqlite3* db) : db_(db) {}
  sqlite3* db_;
  std::function<bool()> go_on_;
  std::unordered_map<const char*, std::unique_ptr<Statement>> cache_;
};

// Parameters are numbered from 1 in the order of bind() calls after reset(); columns from 0.
class Statement {
 public:
  Statement(Database& db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}
  ~Statement();
  Statement(const Statement&) = delete;

  Statement& reset();
  Statement& bind(int64_t value);
  Statement& bind(uint64_t value) { return bind(static_cast<int64_t>(value)); }
  Statement& bind(uint32_t value) { return bind(static_cast<int64_t>(value)); }
  Statement& bind(int value) { return bind(static_cast<int64_t>(value)); }
  Statement& bind_blob(ByteSpan value);  // the memory must live until the next reset()
  Statement& bind_blob(std::string_view value) { return bind_blob(as_bytes(value)); }
  Statement& bind_text(std::string_view value);

  // True: a row is there. False: done.
  Result<bool> step();
  // For statements without rows.
  Result<void> run();

  int64_t integer(int column) const;
  uint64_t natural(int column) const { return static_cast<uint64_t>(integer(column)); }
  ByteSpan blob(int column) const;  // valid until the next step()
  std::string text(int column) const;

 private:
  Database& db_;
  sqlite3_stmt* stmt_;
  int next_ = 1;
  bool bad_ = false;
};

}  // namespace holdfast
