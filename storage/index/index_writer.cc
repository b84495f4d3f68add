#include "storage/index/index_writer.h"

#include <set>

#include "storage/index/index_reader.h"

namespace holdfast {

Result<std::vector<FreedBytes>> Index::apply(std::span<const IndexEntry> entries) {
  if (entries.empty()) return std::vector<FreedBytes>{};
  Database& db = *writer_;
  HF_CHECK(db.prepare("BEGIN IMMEDIATE").run());
  Writer writer(db, block_bytes_);
  auto work = [&]() -> Result<void> {
    for (const IndexEntry& entry : entries) HF_CHECK(writer.apply(entry));
    HF_CHECK(writer.finish(entries.back()));
    return db.prepare("COMMIT").run();
  };
  if (auto done = work(); !done) {
    (void)db.execute("ROLLBACK");
    return std::unexpected(done.error());
  }
  for (const IndexEntry& entry : entries) newest_.forget(*entry.fact);
  std::lock_guard lock(mutex_);
  applied_ = {entries.back().lsn, entries.back().checksum};
  return writer.take_freed();
}

Result<void> Index::Writer::apply(const IndexEntry& entry) {
  return std::visit([&](const auto& fact) { return apply(fact, entry.address); }, *entry.fact);
}

Result<void> Index::Writer::finish(const IndexEntry& last) {
  for (const auto& [place, change] : delta_) {
    if (change == 0) continue;
    // A row of an earlier life of the segment counts for nothing.
    Statement& s = db_.prepare(
        "INSERT INTO usage VALUES(?1, ?2, ?3) ON CONFLICT(segment) DO UPDATE SET "
        "bytes = CASE WHEN generation = ?2 THEN MAX(bytes + ?3, 0) WHEN generation < ?2 THEN MAX(?3, 0) ELSE bytes END, "
        "generation = MAX(generation, ?2)");
    HF_CHECK(s.bind(place.first).bind(place.second).bind(change).run());
  }
  ByteWriter applied;
  applied.u64(last.lsn);
  applied.u32(last.checksum);
  return db_.prepare("INSERT OR REPLACE INTO meta VALUES('applied', ?)").bind_blob(applied.bytes()).run();
}

void Index::Writer::use(uint32_t segment, Generation generation, uint64_t bytes) {
  delta_[{segment, generation}] += static_cast<int64_t>(bytes);
}

void Index::Writer::free(uint32_t segment, Generation generation, uint64_t bytes) {
  delta_[{segment, generation}] -= static_cast<int64_t>(bytes);
  freed_.push_back({segment, generation, bytes});
}

Result<void> Index::Writer::free_home(ByteSpan home) {
  const RecordAddress a = decode_home(home);
  free(a.segment, a.generation, a.total_bytes);
  return {};
}

Result<void> Index::Writer::free_home_of(Statement& select) {
  HF_TRY(const bool row, select.step());
  if (row) HF_CHECK(free_home(select.blob(0)));
  select.reset();
  return {};
}

Result<void> Index::Writer::add_extents(const std::vector<StoredPart>& parts, BucketId bucket, std::string_view owner,
                                        uint64_t number, bool is_part) {
  for (const StoredPart& p : parts) {
    for (const ExtentRef& e : p.body.extents) {
      const uint64_t bytes = extent_disk_bytes(e.data_bytes, !p.body.wrapped_key.empty(), block_bytes_);
      Statement& s = db_.prepare("INSERT OR REPLACE INTO extents VALUES(?, ?, ?, ?, ?, ?, ?)");
      s.bind(e.segment).bind(e.offset_bytes).bind(bytes).bind(bucket).bind_blob(owner).bind(number).bind(is_part ? 1 : 0);
      HF_CHECK(s.run());
      use(e.segment, e.generation, bytes);
    }
  }
  return {};
}

Result<void> Index::Writer::free_extents(const std::vector<StoredPart>& parts) {
  for (const StoredPart& p : parts) {
    for (const ExtentRef& e : p.body.extents) {
      HF_CHECK(db_.prepare("DELETE FROM extents WHERE segment = ? AND offset = ?").bind(e.segment).bind(e.offset_bytes).run());
      free(e.segment, e.generation, extent_disk_bytes(e.data_bytes, !p.body.wrapped_key.empty(), block_bytes_));
    }
  }
  return {};
}

Result<void> Index::Writer::insert_version(const VersionPut& f, const RecordAddress& home, bool latest) {
  const ObjectInfo& i = f.version.info;
  const Bytes home_blob = encode_home(home);
  ByteWriter attributes, parts, checksum;
  encode_attributes(attributes, i.attributes);
  encode_parts(parts, f.version.parts);
  encode_checksum(checksum, i.checksum);
  const int64_t flags = (i.is_null ? kRowNull : 0) | (i.is_marker ? kRowMarker : 0) | (f.version.is_inline ? kRowInline : 0);
  Statement& s = db_.prepare("INSERT INTO versions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  s.bind(i.bucket).bind_blob(i.key).bind(i.seq).bind(latest ? 1 : 0).bind(latest && !i.is_marker ? 1 : 0).bind(flags);
  s.bind(i.size_bytes).bind(i.modified_ms).bind_blob(i.etag).bind_blob(checksum.bytes()).bind_blob(home_blob);
  s.bind_blob(attributes.bytes()).bind_blob(parts.bytes());
  HF_CHECK(s.run());
  use(home.segment, home.generation, home.total_bytes);
  return add_extents(f.version.parts, i.bucket, i.key, i.seq, false);
}

Result<bool> Index::Writer::drop_version(BucketId bucket, std::string_view key, VersionSeq seq) {
  Statement& select = db_.prepare("SELECT home, parts FROM versions WHERE bucket = ? AND key = ? AND seq = ?");
  HF_TRY(const bool row, select.bind(bucket).bind_blob(key).bind(seq).step());
  if (!row) return false;
  HF_CHECK(free_home(select.blob(0)));
  ByteReader r(select.blob(1));
  const auto parts = decode_parts(r);
  select.reset();
  HF_CHECK(free_extents(parts));
  Statement& drop = db_.prepare("DELETE FROM versions WHERE bucket = ? AND key = ? AND seq = ?");
  HF_CHECK(drop.bind(bucket).bind_blob(key).bind(seq).run());
  return true;
}

Result<void> Index::Writer::promote_newest(BucketId bucket, std::string_view key) {
  Statement& newest = db_.prepare("SELECT seq, latest FROM versions WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1");
  HF_TRY(const bool row, newest.bind(bucket).bind_blob(key).step());
  const VersionSeq seq = row ? newest.natural(0) : 0;
  const bool is_latest = row && newest.integer(1) != 0;
  newest.reset();
  if (!row || is_latest) return {};
  Statement& s = db_.prepare(
      "UPDATE versions SET latest = 1, current = (flags & 2) = 0 WHERE bucket = ? AND key = ? AND seq = ?");
  return s.bind(bucket).bind_blob(key).bind(seq).run();
}

Result<void> Index::Writer::apply(const VersionPut& f, const RecordAddress& home) {
  const ObjectInfo& i = f.version.info;
  bool changed = false;
  for (VersionSeq seq : f.removes) {
    HF_TRY(const bool dropped, drop_version(i.bucket, i.key, seq));
    changed = changed || dropped;
  }
  // The same version again: it was moved.
  HF_TRY(const bool moved, drop_version(i.bucket, i.key, i.seq));
  Statement& newest = db_.prepare("SELECT seq, latest FROM versions WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1");
  HF_TRY(const bool row, newest.bind(i.bucket).bind_blob(i.key).step());
  const VersionSeq seq = row ? newest.natural(0) : 0;
  const bool demote = row && seq < i.seq && newest.integer(1) != 0;
  newest.reset();
  if (demote) {
    Statement& s = db_.prepare("UPDATE versions SET latest = 0, current = 0 WHERE bucket = ? AND key = ? AND seq = ?");
    HF_CHECK(s.bind(i.bucket).bind_blob(i.key).bind(seq).run());
  }
  HF_CHECK(insert_version(f, home, !row || seq < i.seq));
  if ((changed || moved) && row && seq > i.seq) HF_CHECK(promote_newest(i.bucket, i.key));
  if (f.upload_id.empty()) return {};
  HF_CHECK(drop_upload(f.upload_id, &f.version.parts));
  return apply(UploadDone{f.upload_id, i.bucket, i.key, i.seq, f.upload_result, f.upload_forget_ms},
               RecordAddress{home.device, home.segment, home.generation, home.offset_bytes, 0});
}

Result<void> Index::Writer::apply(const VersionRemove& f, const RecordAddress&) {
  HF_TRY(const bool dropped, drop_version(f.bucket, f.key, f.seq));
  return dropped ? promote_newest(f.bucket, f.key) : Result<void>{};
}

Result<void> Index::Writer::apply(const VersionAttributes& f, const RecordAddress&) {
  ByteWriter w;
  encode_attributes(w, f.attributes);
  Statement& s = db_.prepare("UPDATE versions SET attributes = ? WHERE bucket = ? AND key = ? AND seq = ?");
  return s.bind_blob(w.bytes()).bind(f.bucket).bind_blob(f.key).bind(f.seq).run();
}

Result<void> Index::Writer::apply(const BucketPut& f, const RecordAddress& home) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM buckets WHERE id = ?").bind(f.bucket.id)));
  ByteWriter w;
  encode_bucket(w, f.bucket);
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  return db_.prepare("INSERT OR REPLACE INTO buckets VALUES(?, ?, ?)").bind(f.bucket.id).bind_blob(w.bytes()).bind_blob(home_blob).run();
}

Result<void> Index::Writer::apply(const BucketRemove& f, const RecordAddress&) {
  std::vector<std::string> uploads;
  Statement& list = db_.prepare("SELECT id FROM uploads WHERE bucket = ?").bind(f.id);
  for (;;) {
    HF_TRY(const bool row, list.step());
    if (!row) break;
    uploads.push_back(list.text(0));
  }
  list.reset();
  for (const std::string& id : uploads) HF_CHECK(drop_upload(id, nullptr));
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM buckets WHERE id = ?").bind(f.id)));
  return db_.prepare("DELETE FROM buckets WHERE id = ?").bind(f.id).run();
}

Result<void> Index::Writer::apply(const UploadPut& f, const RecordAddress& home) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM uploads WHERE id = ?").bind_blob(f.upload.id)));
  ByteWriter w;
  encode_upload(w, f.upload);
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  Statement& s = db_.prepare("INSERT OR REPLACE INTO uploads VALUES(?, ?, ?, ?, ?)");
  return s.bind_blob(f.upload.id).bind(f.upload.bucket).bind_blob(f.upload.key).bind_blob(w.bytes()).bind_blob(home_blob).run();
}

Result<void> Index::Writer::apply(const UploadRemove& f, const RecordAddress&) { return drop_upload(f.id, nullptr); }

Result<void> Index::Writer::drop_upload(std::string_view id, const std::vector<StoredPart>* kept) {
  std::set<BodyId> kept_bodies;
  if (kept != nullptr) {
    for (const StoredPart& p : *kept) kept_bodies.insert(p.body.id);
  }
  std::vector<StoredPart> unused;
  Statement& list = db_.prepare("SELECT data, home FROM parts WHERE upload = ?").bind_blob(id);
  for (;;) {
    HF_TRY(const bool row, list.step());
    if (!row) break;
    ByteReader r(list.blob(0));
    for (StoredPart& p : decode_parts(r)) {
      if (!kept_bodies.contains(p.body.id)) {
        unused.push_back(std::move(p));
        continue;
      }
      // Its bytes now belong to the version, which has counted them again.
      for (const ExtentRef& e : p.body.extents) {
        free(e.segment, e.generation, extent_disk_bytes(e.data_bytes, !p.body.wrapped_key.empty(), block_bytes_));
      }
    }
    HF_CHECK(free_home(list.blob(1)));
  }
  list.reset();
  HF_CHECK(free_extents(unused));
  HF_CHECK(db_.prepare("DELETE FROM parts WHERE upload = ?").bind_blob(id).run());
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM uploads WHERE id = ?").bind_blob(id)));
  return db_.prepare("DELETE FROM uploads WHERE id = ?").bind_blob(id).run();
}

Result<void> Index::Writer::apply(const UploadDone& f, const RecordAddress& home) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM completed WHERE id = ?").bind_blob(f.id)));
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  Statement& s = db_.prepare("INSERT OR REPLACE INTO completed VALUES(?, ?, ?, ?, ?, ?, ?)");
  s.bind_blob(f.id).bind(f.bucket).bind_blob(f.key).bind(f.seq).bind_blob(f.result).bind(f.forget_ms).bind_blob(home_blob);
  return s.run();
}

Result<void> Index::Writer::apply(const PartPut& f, const RecordAddress& home) {
  // A part that arrives after its upload has ended is void: its bytes were never anyone's.
  Statement& upload = db_.prepare("SELECT bucket FROM uploads WHERE id = ?");
  HF_TRY(const bool alive, upload.bind_blob(f.upload_id).step());
  upload.reset();
  if (!alive) {
    for (const ExtentRef& e : f.part.body.extents) {
      freed_.push_back({e.segment, e.generation, extent_disk_bytes(e.data_bytes, !f.part.body.wrapped_key.empty(), block_bytes_)});
    }
    freed_.push_back({home.segment, home.generation, home.total_bytes});
    return {};
  }
  Statement& old = db_.prepare("SELECT home, data FROM parts WHERE upload = ? AND number = ?");
  HF_TRY(const bool row, old.bind_blob(f.upload_id).bind(f.part.info.number).step());
  std::vector<StoredPart> replaced;
  if (row) {
    HF_CHECK(free_home(old.blob(0)));
    ByteReader r(old.blob(1));
    replaced = decode_parts(r);
  }
  old.reset();
  HF_CHECK(free_extents(replaced));
  ByteWriter w;
  encode_parts(w, {f.part});
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  Statement& s = db_.prepare("INSERT OR REPLACE INTO parts VALUES(?, ?, ?, ?)");
  HF_CHECK(s.bind_blob(f.upload_id).bind(f.part.info.number).bind_blob(w.bytes()).bind_blob(home_blob).run());
  return add_extents({f.part}, 0, f.upload_id, f.part.info.number, true);
}

Result<void> Index::Writer::apply(const UserPut& f, const RecordAddress& home) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM users WHERE access_key = ?").bind_blob(f.user.access_key)));
  ByteWriter w;
  encode_user(w, f.user);
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  Statement& s = db_.prepare("INSERT OR REPLACE INTO users VALUES(?, ?, ?, ?)");
  return s.bind_blob(f.user.access_key).bind_blob(w.bytes()).bind_blob(f.sealed_secret).bind_blob(home_blob).run();
}

Result<void> Index::Writer::apply(const UserRemove& f, const RecordAddress&) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM users WHERE access_key = ?").bind_blob(f.access_key)));
  return db_.prepare("DELETE FROM users WHERE access_key = ?").bind_blob(f.access_key).run();
}

Result<void> Index::Writer::apply(const SettingPut& f, const RecordAddress& home) {
  HF_CHECK(free_home_of(db_.prepare("SELECT home FROM settings WHERE name = ?").bind_blob(f.name)));
  const Bytes home_blob = encode_home(home);
  use(home.segment, home.generation, home.total_bytes);
  return db_.prepare("INSERT OR REPLACE INTO settings VALUES(?, ?, ?)").bind_blob(f.name).bind_blob(f.value).bind_blob(home_blob).run();
}

}  // namespace holdfast
