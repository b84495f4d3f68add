// A read connection of the index, lent to one call. Private to storage/index.
#pragma once

#include "storage/index/index.h"

namespace holdfast {

class Index::Reader {
 public:
  Reader(Index& index, std::unique_ptr<Database> db) : index_(&index), db_(std::move(db)) {}
  Reader(Reader&&) = default;
  Reader& operator=(Reader&&) = delete;
  ~Reader() {
    if (db_ == nullptr) return;
    db_->reset_all();  // a statement left open would show the next call an old state
    std::lock_guard lock(index_->mutex_);
    index_->idle_readers_.push_back(std::move(db_));
    index_->reader_back_.notify_one();
  }
  Database& db() { return *db_; }

 private:
  Index* index_;
  std::unique_ptr<Database> db_;
};

// Columns of a version without and with what only reads of the object need, in the order of read_version().
#define HF_VERSION_LIST_COLUMNS "key, seq, latest, flags, size, modified_ms, etag, checksum"
#define HF_VERSION_COLUMNS HF_VERSION_LIST_COLUMNS ", home, attributes, parts"

inline constexpr int64_t kRowNull = 1, kRowMarker = 2, kRowInline = 4;

ObjectInfo read_listed_version(const Statement& row, BucketId bucket);
StoredVersion read_version(const Statement& row, BucketId bucket);

}  // namespace holdfast
