#include "storage/index/facts.h"

namespace holdfast {

namespace {

constexpr uint8_t kFormat = 1;

void encode_pairs(ByteWriter& w, const Pairs& pairs) {
  w.u32(static_cast<uint32_t>(pairs.size()));
  for (const auto& [name, value] : pairs) {
    w.text(name);
    w.text(value);
  }
}

Pairs decode_pairs(ByteReader& r) {
  Pairs pairs;
  for (uint32_t n = r.count(8); n > 0; --n) {
    std::string name = r.text();
    pairs.emplace_back(std::move(name), r.text());
  }
  return pairs;
}

// --- one encode/decode pair a fact, in the order of the variant ---

void encode(ByteWriter&, const Nothing&) {}
void decode(ByteReader&, Nothing&) {}

void encode(ByteWriter& w, const EpochStart& f) {
  w.u32(f.epoch);
  w.u64(f.last_lsn);
  w.u64(static_cast<uint64_t>(f.wall_ms));
}
void decode(ByteReader& r, EpochStart& f) {
  f.epoch = r.u32();
  f.last_lsn = r.u64();
  f.wall_ms = static_cast<int64_t>(r.u64());
}

constexpr uint8_t kNull = 1, kMarker = 2, kInline = 4;

void encode(ByteWriter& w, const VersionPut& f) {
  const StoredVersion& v = f.version;
  w.u64(v.info.bucket);
  w.text(v.info.key);
  w.u64(v.info.seq);
  w.u8(static_cast<uint8_t>((v.info.is_null ? kNull : 0) | (v.info.is_marker ? kMarker : 0) | (v.is_inline ? kInline : 0)));
  w.u64(v.info.size_bytes);
  w.u64(static_cast<uint64_t>(v.info.modified_ms));
  w.text(v.info.etag);
  encode_checksum(w, v.info.checksum);
  encode_attributes(w, v.info.attributes);
  encode_parts(w, v.parts);
  w.u32(static_cast<uint32_t>(f.removes.size()));
  for (VersionSeq seq : f.removes) w.u64(seq);
  w.text(f.upload_id);
  w.text(f.upload_result);
  w.u64(static_cast<uint64_t>(f.upload_forget_ms));
  w.raw(f.inline_body);  // last, so that its place follows from its size
}
void decode(ByteReader& r, VersionPut& f) {
  StoredVersion& v = f.version;
  v.info.bucket = r.u64();
  v.info.key = r.text();
  v.info.seq = r.u64();
  const uint8_t flags = r.u8();
  v.info.is_null = (flags & kNull) != 0;
  v.info.is_marker = (flags & kMarker) != 0;
  v.is_inline = (flags & kInline) != 0;
  v.info.size_bytes = r.u64();
  v.info.modified_ms = static_cast<int64_t>(r.u64());
  v.info.etag = r.text();
  v.info.checksum = decode_checksum(r);
  v.info.attributes = decode_attributes(r);
  v.parts = decode_parts(r);
  for (uint32_t n = r.count(8); n > 0; --n) f.removes.push_back(r.u64());
  f.upload_id = r.text();
  f.upload_result = r.text();
  f.upload_forget_ms = static_cast<int64_t>(r.u64());
  if (v.is_inline) {
    ByteSpan body = r.raw(v.info.size_bytes);
    f.inline_body.assign(body.begin(), body.end());
  }
}

void encode(ByteWriter& w, const VersionRemove& f) {
  w.u64(f.bucket);
  w.text(f.key);
  w.u64(f.seq);
}
void decode(ByteReader& r, VersionRemove& f) {
  f.bucket = r.u64();
  f.key = r.text();
  f.seq = r.u64();
}

void encode(ByteWriter& w, const VersionAttributes& f) {
  w.u64(f.bucket);
  w.text(f.key);
  w.u64(f.seq);
  encode_attributes(w, f.attributes);
}
void decode(ByteReader& r, VersionAttributes& f) {
  f.bucket = r.u64();
  f.key = r.text();
  f.seq = r.u64();
  f.attributes = decode_attributes(r);
}

void encode(ByteWriter& w, const BucketPut& f) { encode_bucket(w, f.bucket); }
void decode(ByteReader& r, BucketPut& f) { f.bucket = decode_bucket(r); }
void encode(ByteWriter& w, const BucketRemove& f) { w.u64(f.id); }
void decode(ByteReader& r, BucketRemove& f) { f.id = r.u64(); }
void encode(ByteWriter& w, const UploadPut& f) { encode_upload(w, f.upload); }
void decode(ByteReader& r, UploadPut& f) { f.upload = decode_upload(r); }
void encode(ByteWriter& w, const UploadRemove& f) { w.text(f.id); }
void decode(ByteReader& r, UploadRemove& f) { f.id = r.text(); }

void encode(ByteWriter& w, const UploadDone& f) {
  w.text(f.id);
  w.u64(f.bucket);
  w.text(f.key);
  w.u64(f.seq);
  w.text(f.result);
  w.u64(static_cast<uint64_t>(f.forget_ms));
}
void decode(ByteReader& r, UploadDone& f) {
  f.id = r.text();
  f.bucket = r.u64();
  f.key = r.text();
  f.seq = r.u64();
  f.result = r.text();
  f.forget_ms = static_cast<int64_t>(r.u64());
}

void encode(ByteWriter& w, const PartPut& f) {
  w.text(f.upload_id);
  encode_parts(w, {f.part});
}
void decode(ByteReader& r, PartPut& f) {
  f.upload_id = r.text();
  auto parts = decode_parts(r);
  if (parts.size() != 1) return r.fail();
  f.part = std::move(parts[0]);
}

void encode(ByteWriter& w, const UserPut& f) {
  encode_user(w, f.user);
  w.text(f.sealed_secret);
}
void decode(ByteReader& r, UserPut& f) {
  f.user = decode_user(r);
  f.sealed_secret = r.text();
}
void encode(ByteWriter& w, const UserRemove& f) { w.text(f.access_key); }
void decode(ByteReader& r, UserRemove& f) { f.access_key = r.text(); }

void encode(ByteWriter& w, const SettingPut& f) {
  w.text(f.name);
  w.text(f.value);
}
void decode(ByteReader& r, SettingPut& f) {
  f.name = r.text();
  f.value = r.text();
}

template <size_t I = 0>
Result<Fact> decode_as(uint8_t type, ByteReader& r) {
  if constexpr (I == std::variant_size_v<Fact>) {
    return error(Code::kUnimplemented, Subject::kPool, "record type " + std::to_string(type) + " is of a newer program");
  } else {
    if (type != I) return decode_as<I + 1>(type, r);
    std::variant_alternative_t<I, Fact> fact;
    decode(r, fact);
    if (!r.ok() || r.left() != 0) {
      return error(Code::kCorrupt, Subject::kPool, "a record of type " + std::to_string(type) + " makes no sense");
    }
    return Fact(std::move(fact));
  }
}

}  // namespace

void encode_checksum(ByteWriter& w, const Checksum& c) {
  w.u8(static_cast<uint8_t>(c.algorithm));
  w.u8(static_cast<uint8_t>(c.type));
  w.text(c.value);
}
Checksum decode_checksum(ByteReader& r) {
  Checksum c;
  c.algorithm = static_cast<ChecksumAlgorithm>(r.u8());
  c.type = static_cast<ChecksumType>(r.u8());
  c.value = r.text();
  return c;
}

void encode_attributes(ByteWriter& w, const Attributes& a) {
  encode_pairs(w, a.headers);
  encode_pairs(w, a.tags);
  w.u8(static_cast<uint8_t>(a.retention.mode));
  w.u64(static_cast<uint64_t>(a.retention.until_ms));
  w.u8(a.legal_hold ? 1 : 0);
}
Attributes decode_attributes(ByteReader& r) {
  Attributes a;
  a.headers = decode_pairs(r);
  a.tags = decode_pairs(r);
  a.retention.mode = static_cast<LockMode>(r.u8());
  a.retention.until_ms = static_cast<int64_t>(r.u64());
  a.legal_hold = r.u8() != 0;
  return a;
}

void encode_parts(ByteWriter& w, const std::vector<StoredPart>& parts) {
  w.u32(static_cast<uint32_t>(parts.size()));
  for (const StoredPart& p : parts) {
    w.u32(p.info.number);
    w.u64(p.info.size_bytes);
    w.u64(static_cast<uint64_t>(p.info.modified_ms));
    w.text(p.info.etag);
    w.text(p.info.checksum);
    encode_body_ref(w, p.body);
  }
}
std::vector<StoredPart> decode_parts(ByteReader& r) {
  std::vector<StoredPart> parts;
  const uint32_t n = r.count(60);
  parts.reserve(n);
  for (uint32_t i = 0; i < n; ++i) {
    StoredPart p;
    p.info.number = r.u32();
    p.info.size_bytes = r.u64();
    p.info.modified_ms = static_cast<int64_t>(r.u64());
    p.info.etag = r.text();
    p.info.checksum = r.text();
    p.body = decode_body_ref(r);
    parts.push_back(std::move(p));
  }
  return parts;
}

void encode_bucket(ByteWriter& w, const Bucket& b) {
  w.u64(b.id);
  w.text(b.name);
  w.text(b.owner);
  w.u64(static_cast<uint64_t>(b.created_ms));
  w.u8(static_cast<uint8_t>(b.versioning));
  w.u8(b.lock_enabled ? 1 : 0);
  w.u8(static_cast<uint8_t>(b.default_retention.mode));
  w.u32(b.default_retention.days);
  w.u32(b.default_retention.years);
  encode_pairs(w, b.tags);
}
Bucket decode_bucket(ByteReader& r) {
  Bucket b;
  b.id = r.u64();
  b.name = r.text();
  b.owner = r.text();
  b.created_ms = static_cast<int64_t>(r.u64());
  b.versioning = static_cast<Versioning>(r.u8());
  b.lock_enabled = r.u8() != 0;
  b.default_retention.mode = static_cast<LockMode>(r.u8());
  b.default_retention.days = r.u32();
  b.default_retention.years = r.u32();
  b.tags = decode_pairs(r);
  return b;
}

void encode_upload(ByteWriter& w, const Upload& u) {
  w.text(u.id);
  w.u64(u.bucket);
  w.text(u.key);
  w.text(u.owner);
  w.u64(static_cast<uint64_t>(u.initiated_ms));
  encode_checksum(w, u.checksum);
  encode_attributes(w, u.attributes);
}
Upload decode_upload(ByteReader& r) {
  Upload u;
  u.id = r.text();
  u.bucket = r.u64();
  u.key = r.text();
  u.owner = r.text();
  u.initiated_ms = static_cast<int64_t>(r.u64());
  u.checksum = decode_checksum(r);
  u.attributes = decode_attributes(r);
  return u;
}

void encode_user(ByteWriter& w, const User& u) {
  w.text(u.access_key);
  w.text(u.name);
  w.u8(static_cast<uint8_t>(u.role));
  w.u8(u.enabled ? 1 : 0);
  w.u64(static_cast<uint64_t>(u.created_ms));
  w.u32(static_cast<uint32_t>(u.scopes.size()));
  for (const std::string& scope : u.scopes) w.text(scope);
}
User decode_user(ByteReader& r) {
  User u;
  u.access_key = r.text();
  u.name = r.text();
  u.role = static_cast<Role>(r.u8());
  u.enabled = r.u8() != 0;
  u.created_ms = static_cast<int64_t>(r.u64());
  for (uint32_t n = r.count(4); n > 0; --n) u.scopes.push_back(r.text());
  return u;
}

bool has_home(const Fact& fact) {
  return std::holds_alternative<VersionPut>(fact) || std::holds_alternative<BucketPut>(fact) ||
         std::holds_alternative<UploadPut>(fact) || std::holds_alternative<PartPut>(fact) ||
         std::holds_alternative<UserPut>(fact) || std::holds_alternative<SettingPut>(fact);
}

Bytes encode_fact(const Fact& fact) {
  ByteWriter w;
  w.u8(kFormat);
  std::visit([&w](const auto& f) { encode(w, f); }, fact);
  return w.take();
}

Result<Fact> decode_fact(uint8_t type, ByteSpan payload) {
  ByteReader r(payload);
  if (const uint8_t format = r.u8(); r.ok() && format != kFormat) {
    return error(Code::kUnimplemented, Subject::kPool, "record format " + std::to_string(format) + " is of a newer program");
  }
  return decode_as(type, r);
}

}  // namespace holdfast
