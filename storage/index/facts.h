// The durable facts of the store: what one journal record says, and how it is encoded.
// Byte by byte in docs/formats/log.md; every payload starts with a format version.
#pragma once

#include <memory>
#include <variant>

#include "storage/base/body_ref.h"
#include "storage/types.h"

namespace holdfast {

// A part of an object's data. A plain object has one, numbered 0; parts of an upload keep their numbers.
struct StoredPart {
  PartInfo info;
  BodyRef body;
};

struct StoredVersion {
  ObjectInfo info;                // info.parts is not used here
  std::vector<StoredPart> parts;  // empty for a marker and for an inline body
  bool is_inline = false;         // the body is the end of the record's payload
  RecordAddress home;             // the newest record that holds this version; not encoded
};
using VersionPtr = std::shared_ptr<const StoredVersion>;

struct VersionPut {
  StoredVersion version;
  std::vector<VersionSeq> removes;  // versions of the key that this one replaces (the null version)
  std::string upload_id;            // when it completes an upload; removes it
  std::string upload_result;        // hash of the completion's part list
  int64_t upload_forget_ms = 0;     // until when a repeated completion gets the same answer
  Bytes inline_body;
};
struct VersionRemove {
  BucketId bucket = 0;
  std::string key;
  VersionSeq seq = 0;
};
struct VersionAttributes {
  BucketId bucket = 0;
  std::string key;
  VersionSeq seq = 0;
  Attributes attributes;
};
struct BucketPut {
  Bucket bucket;
};
struct BucketRemove {
  BucketId id = 0;
};
struct UploadPut {
  Upload upload;
};
struct UploadRemove {
  std::string id;
};
struct UploadDone {  // remembered after completion
  std::string id;
  BucketId bucket = 0;
  std::string key;
  VersionSeq seq = 0;
  std::string result;
  int64_t forget_ms = 0;
};
struct PartPut {
  std::string upload_id;
  StoredPart part;
};
struct UserPut {
  User user;                  // without its secret
  std::string sealed_secret;  // sealed with the pool key; clear on a pool without encryption
};
struct UserRemove {
  std::string access_key;
};
struct SettingPut {
  std::string name;
  std::string value;
};
// The first record of every opening: records of older epochs above last_lsn are void.
struct EpochStart {
  uint32_t epoch = 0;
  Lsn last_lsn = 0;
  int64_t wall_ms = 0;
};
// Carries the flushed LSN forward when writers pause.
struct Nothing {};

// The index in this list is the record type on disk: append only.
using Fact = std::variant<Nothing, EpochStart, VersionPut, VersionRemove, VersionAttributes, BucketPut, BucketRemove,
                          UploadPut, UploadRemove, UploadDone, PartPut, UserPut, UserRemove, SettingPut>;

// Does the record of this fact stay live, as the only place that holds it? Others are void once applied and older
// than every record that they speak of.
bool has_home(const Fact& fact);

Bytes encode_fact(const Fact& fact);
// kCorrupt: the payload makes no sense as that type. kUnimplemented: written by a newer program.
Result<Fact> decode_fact(uint8_t type, ByteSpan payload);

// For columns of the index and for snapshots.
void encode_attributes(ByteWriter& w, const Attributes& attributes);
Attributes decode_attributes(ByteReader& r);
void encode_parts(ByteWriter& w, const std::vector<StoredPart>& parts);
std::vector<StoredPart> decode_parts(ByteReader& r);
void encode_bucket(ByteWriter& w, const Bucket& bucket);
Bucket decode_bucket(ByteReader& r);
void encode_upload(ByteWriter& w, const Upload& upload);
Upload decode_upload(ByteReader& r);
void encode_user(ByteWriter& w, const User& user);
User decode_user(ByteReader& r);
void encode_checksum(ByteWriter& w, const Checksum& checksum);
Checksum decode_checksum(ByteReader& r);

}  // namespace holdfast
