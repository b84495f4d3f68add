// Point lookups and small tables.
#include "storage/index/index_reader.h"

namespace holdfast {

ObjectInfo read_listed_version(const Statement& row, BucketId bucket) {
  ObjectInfo i;
  i.bucket = bucket;
  i.key = row.text(0);
  i.seq = row.natural(1);
  i.is_latest = row.integer(2) != 0;
  const int64_t flags = row.integer(3);
  i.is_null = (flags & kRowNull) != 0;
  i.is_marker = (flags & kRowMarker) != 0;
  i.size_bytes = row.natural(4);
  i.modified_ms = row.integer(5);
  i.etag = row.text(6);
  ByteReader checksum(row.blob(7));
  i.checksum = decode_checksum(checksum);
  return i;
}

StoredVersion read_version(const Statement& row, BucketId bucket) {
  StoredVersion v;
  v.info = read_listed_version(row, bucket);
  v.is_inline = (row.integer(3) & kRowInline) != 0;
  v.home = decode_home(row.blob(8));
  ByteReader attributes(row.blob(9));
  v.info.attributes = decode_attributes(attributes);
  ByteReader parts(row.blob(10));
  v.parts = decode_parts(parts);
  return v;
}

namespace {

Result<VersionPtr> one_version(Statement& s, BucketId bucket) {
  HF_TRY(const bool row, s.step());
  VersionPtr version;
  if (row) version = std::make_shared<const StoredVersion>(read_version(s, bucket));
  s.reset();
  return version;
}

}  // namespace

Result<VersionPtr> Index::version(BucketId bucket, std::string_view key, VersionSeq seq, Patience patience) {
  HF_TRY(auto reader, this->reader(patience));
  Statement& s = reader.db().prepare("SELECT " HF_VERSION_COLUMNS " FROM versions WHERE bucket = ? AND key = ? AND seq = ?");
  return one_version(s.bind(bucket).bind_blob(key).bind(seq), bucket);
}

Result<VersionPtr> Index::newest(BucketId bucket, std::string_view key, Patience patience) {
  if (VersionPtr known = newest_.get(bucket, key)) return known;
  const uint64_t changes = newest_.changes(bucket, key);
  HF_TRY(VersionPtr found, newest_below(bucket, key, UINT64_MAX, patience));
  if (found) newest_.put(found, changes);
  return found;
}

Result<VersionPtr> Index::newest_below(BucketId bucket, std::string_view key, VersionSeq below, Patience patience) {
  HF_TRY(auto reader, this->reader(patience));
  Statement& s = reader.db().prepare("SELECT " HF_VERSION_COLUMNS
                                     " FROM versions WHERE bucket = ? AND key = ? AND seq < ? ORDER BY seq DESC LIMIT 1");
  const auto bound = static_cast<int64_t>(std::min<uint64_t>(below, INT64_MAX));
  return one_version(s.bind(bucket).bind_blob(key).bind(bound), bucket);
}

Result<VersionPtr> Index::null_version(BucketId bucket, std::string_view key, Patience patience) {
  HF_TRY(auto reader, this->reader(patience));
  Statement& s = reader.db().prepare("SELECT " HF_VERSION_COLUMNS
                                     " FROM versions WHERE bucket = ? AND key = ? AND flags & 1 ORDER BY seq DESC LIMIT 1");
  return one_version(s.bind(bucket).bind_blob(key), bucket);
}

Result<std::vector<StoredVersion>> Index::scan_versions(ScanCursor& c, uint32_t max) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare(
      "SELECT " HF_VERSION_COLUMNS ", bucket FROM versions WHERE bucket > ?1 OR (bucket = ?1 AND (key > ?2 OR "
      "(key = ?2 AND seq < ?3))) ORDER BY bucket, key, seq DESC LIMIT ?4");
  s.bind(c.bucket).bind_blob(c.key).bind(c.started ? static_cast<int64_t>(c.seq) : INT64_MAX).bind(max);
  std::vector<StoredVersion> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    out.push_back(read_version(s, s.natural(11)));
  }
  s.reset();
  if (!out.empty()) c = {out.back().info.bucket, out.back().info.key, out.back().info.seq, true};
  return out;
}

Result<bool> Index::has_versions(BucketId bucket) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1").bind(bucket);
  HF_TRY(const bool row, s.step());
  s.reset();
  return row;
}

Result<bool> Index::holds_locked(int64_t now_ms) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT attributes FROM versions");
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    ByteReader r(s.blob(0));
    const Attributes a = decode_attributes(r);
    if (a.legal_hold || (a.retention.mode != LockMode::kNone && a.retention.until_ms > now_ms)) {
      s.reset();
      return true;
    }
  }
  s.reset();
  return false;
}

Result<std::optional<Upload>> Index::upload(std::string_view id) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT data FROM uploads WHERE id = ?").bind_blob(id);
  HF_TRY(const bool row, s.step());
  std::optional<Upload> upload;
  if (row) {
    ByteReader r(s.blob(0));
    upload = decode_upload(r);
  }
  s.reset();
  return upload;
}

Result<std::optional<StoredPart>> Index::part(std::string_view upload_id, uint32_t number) {
  HF_TRY(auto found, parts(upload_id, number - 1, 1));
  if (found.empty() || found[0].info.number != number) return std::optional<StoredPart>{};
  return std::optional<StoredPart>(std::move(found[0]));
}

Result<std::vector<StoredPart>> Index::parts(std::string_view upload_id, uint32_t after, uint32_t max) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT data FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?");
  s.bind_blob(upload_id).bind(after).bind(max);
  std::vector<StoredPart> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    ByteReader r(s.blob(0));
    for (StoredPart& p : decode_parts(r)) out.push_back(std::move(p));
  }
  s.reset();
  return out;
}

Result<std::optional<UploadDone>> Index::completed(std::string_view upload_id) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT bucket, key, seq, result, forget_ms FROM completed WHERE id = ?");
  HF_TRY(const bool row, s.bind_blob(upload_id).step());
  std::optional<UploadDone> done;
  if (row) done = UploadDone{std::string(upload_id), s.natural(0), s.text(1), s.natural(2), s.text(3), s.integer(4)};
  s.reset();
  return done;
}

Result<std::vector<Bucket>> Index::buckets() {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT data FROM buckets");
  std::vector<Bucket> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    ByteReader r(s.blob(0));
    out.push_back(decode_bucket(r));
  }
  s.reset();
  return out;
}

Result<std::vector<UserRow>> Index::users() {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT data, sealed FROM users");
  std::vector<UserRow> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    ByteReader r(s.blob(0));
    out.push_back({decode_user(r), s.text(1)});
  }
  s.reset();
  return out;
}

Result<std::map<std::string, std::string>> Index::settings() {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT name, value FROM settings");
  std::map<std::string, std::string> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    out[s.text(0)] = s.text(1);
  }
  s.reset();
  return out;
}

Result<std::vector<SegmentLive>> Index::live_segments() {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT segment, generation, bytes FROM usage WHERE bytes > 0");
  std::vector<SegmentLive> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    out.push_back({static_cast<uint32_t>(s.integer(0)), s.natural(1), s.natural(2)});
  }
  s.reset();
  return out;
}

Result<std::vector<ExtentOwner>> Index::extent_owners(uint32_t segment) {
  HF_TRY(auto reader, this->reader());
  Statement& s = reader.db().prepare("SELECT offset, bucket, owner, number, is_part FROM extents WHERE segment = ?");
  s.bind(segment);
  std::vector<ExtentOwner> out;
  for (;;) {
    HF_TRY(const bool row, s.step());
    if (!row) break;
    ExtentOwner o;
    o.offset_bytes = static_cast<uint32_t>(s.integer(0));
    if (s.integer(4) != 0) {
      o.upload = s.text(2);
      o.part = static_cast<uint32_t>(s.integer(3));
    } else {
      o.bucket = s.natural(1);
      o.key = s.text(2);
      o.seq = s.natural(3);
    }
    out.push_back(std::move(o));
  }
  s.reset();
  return out;
}

Result<Index::Counts> Index::counts(BucketId bucket) {
  HF_TRY(auto reader, this->reader());
  Counts c;
  Statement& v = reader.db().prepare(
      "SELECT SUM(current), SUM(size * current), COUNT(*), SUM(size) FROM versions WHERE bucket = ?");
  HF_TRY([[maybe_unused]] const bool row, v.bind(bucket).step());
  c.objects = v.natural(0);
  c.object_bytes = v.natural(1);
  c.versions = v.natural(2);
  c.version_bytes = v.natural(3);
  v.reset();
  Statement& u = reader.db().prepare(
      "SELECT COUNT(DISTINCT u.id), SUM(e.bytes) FROM uploads u LEFT JOIN extents e ON e.is_part AND e.owner = u.id "
      "WHERE u.bucket = ?");
  HF_TRY([[maybe_unused]] const bool urow, u.bind(bucket).step());
  c.uploads = u.natural(0);
  c.upload_bytes = u.natural(1);
  u.reset();
  return c;
}

namespace {

// The home that the index has for what a fact describes, if it has any.
Result<std::optional<RecordAddress>> home_of(Database& db, const Fact& fact) {
  Statement* s = nullptr;
  if (const auto* version = std::get_if<VersionPut>(&fact)) {
    const ObjectInfo& i = version->version.info;
    s = &db.prepare("SELECT home FROM versions WHERE bucket = ? AND key = ? AND seq = ?");
    s->bind(i.bucket).bind_blob(i.key).bind(i.seq);
  } else if (const auto* bucket = std::get_if<BucketPut>(&fact)) {
    s = &db.prepare("SELECT home FROM buckets WHERE id = ?").bind(bucket->bucket.id);
  } else if (const auto* upload = std::get_if<UploadPut>(&fact)) {
    s = &db.prepare("SELECT home FROM uploads WHERE id = ?").bind_blob(upload->upload.id);
  } else if (const auto* done = std::get_if<UploadDone>(&fact)) {
    s = &db.prepare("SELECT home FROM completed WHERE id = ?").bind_blob(done->id);
  } else if (const auto* part = std::get_if<PartPut>(&fact)) {
    s = &db.prepare("SELECT home FROM parts WHERE upload = ? AND number = ?");
    s->bind_blob(part->upload_id).bind(part->part.info.number);
  } else if (const auto* user = std::get_if<UserPut>(&fact)) {
    s = &db.prepare("SELECT home FROM users WHERE access_key = ?").bind_blob(user->user.access_key);
  } else if (const auto* setting = std::get_if<SettingPut>(&fact)) {
    s = &db.prepare("SELECT home FROM settings WHERE name = ?").bind_blob(setting->name);
  }
  std::optional<RecordAddress> home;
  if (s == nullptr) return home;
  HF_TRY(const bool row, s->step());
  if (row) home = decode_home(s->blob(0));
  s->reset();
  return home;
}

}  // namespace

Result<bool> Index::is_home(const Fact& fact, const RecordAddress& home) {
  HF_TRY(auto reader, this->reader());
  HF_TRY(const auto known, home_of(reader.db(), fact));
  return known && known->segment == home.segment && known->generation == home.generation &&
         known->offset_bytes == home.offset_bytes;
}

}  // namespace holdfast
