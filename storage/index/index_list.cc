// Listings: one pass for a page, skipping from one common prefix to the next.
#include "storage/index/index_reader.h"

namespace holdfast {

std::string common_prefix_of(std::string_view key, std::string_view prefix, std::string_view delimiter) {
  if (delimiter.empty() || !key.starts_with(prefix)) return {};
  const size_t at = key.find(delimiter, prefix.size());
  if (at == std::string_view::npos) return {};
  return std::string(key.substr(0, at + delimiter.size()));
}

std::string successor_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

namespace {

// Where the next row is looked for: at `key` or behind it, or behind one version of `key`.
struct Position {
  std::string key;
  bool inclusive = true;
  std::optional<VersionSeq> behind_seq;
};

Position start_of(const std::string& prefix, const std::string& delimiter, const std::string& after_key) {
  if (after_key.empty() || after_key < prefix) return {prefix, true, {}};
  const std::string rolled = common_prefix_of(after_key, prefix, delimiter);
  if (!rolled.empty() && rolled == after_key) return {successor_of_prefix(rolled), true, {}};
  return {after_key, false, {}};
}

// Steps through the rows of a bucket, restartable at any position.
class VersionCursor {
 public:
  VersionCursor(Database& db, BucketId bucket, bool all) : db_(db), bucket_(bucket), all_(all) {}

  void seek(Position position) {
    if (statement_ != nullptr) statement_->reset();
    position_ = std::move(position);
    keys_only_ = false;
    if (position_.behind_seq) {
      statement_ = &db_.prepare("SELECT " HF_VERSION_LIST_COLUMNS
                                " FROM versions WHERE bucket = ? AND key = ? AND seq < ? ORDER BY seq DESC");
      statement_->bind(bucket_).bind_blob(position_.key).bind(*position_.behind_seq);
      return;
    }
    statement_ = &db_.prepare(
        all_ ? (position_.inclusive ? "SELECT " HF_VERSION_LIST_COLUMNS
                                      " FROM versions WHERE bucket = ? AND key >= ? ORDER BY key, seq DESC"
                                    : "SELECT " HF_VERSION_LIST_COLUMNS
                                      " FROM versions WHERE bucket = ? AND key > ? ORDER BY key, seq DESC")
             : (position_.inclusive ? "SELECT " HF_VERSION_LIST_COLUMNS
                                      " FROM versions WHERE bucket = ? AND current = 1 AND key >= ? ORDER BY key"
                                    : "SELECT " HF_VERSION_LIST_COLUMNS
                                      " FROM versions WHERE bucket = ? AND current = 1 AND key > ? ORDER BY key"));
    statement_->bind(bucket_).bind_blob(position_.key);
  }

  // Like seek({key, true}), but of current versions row() has the key alone: half the pages to look at where the row
  // will be skipped over.
  void seek_key(std::string key) {
    if (all_) return seek({std::move(key), true, {}});
    if (statement_ != nullptr) statement_->reset();
    position_ = {std::move(key), true, {}};
    keys_only_ = true;
    statement_ = &db_.prepare("SELECT key FROM versions WHERE bucket = ? AND current = 1 AND key >= ? ORDER BY key");
    statement_->bind(bucket_).bind_blob(position_.key);
  }
  // After next(): the whole row of the key it found.
  Result<bool> fill() {
    if (!keys_only_) return true;
    seek({std::string(as_text(row().blob(0))), true, {}});
    return next();
  }

  // True: row() is the next one.
  Result<bool> next() {
    HF_TRY(const bool row, statement_->step());
    if (row) return true;
    if (!position_.behind_seq) return false;
    seek({position_.key, false, {}});  // that key's versions are done
    return statement_->step();
  }
  const Statement& row() const { return *statement_; }
  void end() { statement_->reset(); }

 private:
  Database& db_;
  const BucketId bucket_;
  const bool all_;
  Position position_;
  bool keys_only_ = false;
  Statement* statement_ = nullptr;
};

// One view of the index for all seeks of a page.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& db) : db_(db) { run("BEGIN"); }
  ~ReadTransaction() { run("COMMIT"); }
  ReadTransaction(const ReadTransaction&) = delete;

 private:
  void run(const char* sql) {
    Statement& s = db_.prepare(sql);
    (void)s.step();
    s.reset();
  }
  Database& db_;
};

}  // namespace

Result<ListPage> Index::list(const ListQuery& q) {
  ListPage page;
  if (q.max == 0) return page;
  HF_TRY(auto reader, this->reader());
  const ReadTransaction transaction(reader.db());
  VersionCursor cursor(reader.db(), q.bucket, q.all_versions);
  Position start = start_of(q.prefix, q.delimiter, q.after_key);
  if (q.all_versions && q.after_seq && start.key == q.after_key) start = {q.after_key, false, q.after_seq};
  const bool nothing_behind = !q.after_key.empty() && start.key.empty();
  if (nothing_behind) return page;
  cursor.seek(std::move(start));
  for (;;) {
    HF_TRY(const bool row, cursor.next());
    if (!row) break;
    const std::string_view key = as_text(cursor.row().blob(0));
    if (!key.starts_with(q.prefix)) break;
    if (page.entries.size() + page.common_prefixes.size() == q.max) {
      page.truncated = true;
      break;
    }
    std::string rolled = common_prefix_of(key, q.prefix, q.delimiter);
    if (rolled.empty()) {
      HF_TRY(const bool whole, cursor.fill());
      if (!whole) break;
      page.entries.push_back(read_listed_version(cursor.row(), q.bucket));
      page.next_key = page.entries.back().key;
      page.next_seq = page.entries.back().seq;
      continue;
    }
    page.next_key = rolled;
    page.next_seq.reset();
    std::string behind = successor_of_prefix(rolled);
    page.common_prefixes.push_back(std::move(rolled));
    if (behind.empty()) break;
    cursor.seek_key(std::move(behind));
  }
  cursor.end();
  if (!page.truncated) {
    page.next_key.clear();
    page.next_seq.reset();
  }
  return page;
}

Result<UploadPage> Index::list_uploads(const UploadQuery& q) {
  UploadPage page;
  if (q.max == 0) return page;
  HF_TRY(auto reader, this->reader());
  const ReadTransaction transaction(reader.db());
  const Position start = start_of(q.prefix, q.delimiter, q.after_key);
  std::string key = start.key;
  // Behind one upload of a key when its id is named too, else behind the whole key.
  std::string id = q.after_id;
  bool behind_key = !start.inclusive && id.empty();
  if (start.inclusive) id.clear();
  for (;;) {
    Statement& s = behind_key
        ? reader.db().prepare("SELECT key, id, data FROM uploads WHERE bucket = ? AND key > ? ORDER BY key, id LIMIT 1")
        : reader.db().prepare("SELECT key, id, data FROM uploads WHERE bucket = ?1 AND (key > ?2 OR (key = ?2 AND id > ?3))"
                              " ORDER BY key, id LIMIT 1");
    s.bind(q.bucket).bind_blob(key);
    if (!behind_key) s.bind_blob(id);
    HF_TRY(const bool row, s.step());
    const std::string found = row ? s.text(0) : std::string();
    if (!row || !found.starts_with(q.prefix)) {
      s.reset();
      return page.truncated ? page : UploadPage{std::move(page.uploads), std::move(page.common_prefixes), false, {}, {}};
    }
    if (page.uploads.size() + page.common_prefixes.size() == q.max) {
      s.reset();
      page.truncated = true;
      return page;
    }
    behind_key = false;
    if (std::string rolled = common_prefix_of(found, q.prefix, q.delimiter); !rolled.empty()) {
      page.next_key = rolled;
      page.next_id.clear();
      key = successor_of_prefix(rolled);
      id.clear();
      page.common_prefixes.push_back(std::move(rolled));
    } else {
      ByteReader r(s.blob(2));
      page.uploads.push_back(decode_upload(r));
      page.next_key = key = found;
      page.next_id = id = s.text(1);
    }
    s.reset();
  }
}

}  // namespace holdfast
