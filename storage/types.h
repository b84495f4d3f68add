// The vocabulary of the object store: buckets, versions, uploads, users and what describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/checksum_algorithm.h"

namespace holdfast {

using BucketId = uint64_t;    // never used twice in a pool
using VersionSeq = uint64_t;  // order among versions: grows with every commit of a pool; never time

enum class Versioning : uint8_t { kOff = 0, kEnabled = 1, kSuspended = 2 };

enum class LockMode : uint8_t { kNone = 0, kGovernance = 1, kCompliance = 2 };

struct Retention {
  LockMode mode = LockMode::kNone;
  int64_t until_ms = 0;  // pool time
  bool operator==(const Retention&) const = default;
};

// The retention that new versions of a bucket get when the request names none. Days or years, not both.
struct DefaultRetention {
  LockMode mode = LockMode::kNone;
  uint32_t days = 0;
  uint32_t years = 0;
  bool operator==(const DefaultRetention&) const = default;
};

struct Bucket {
  BucketId id = 0;
  std::string name;
  std::string owner;  // access key of its maker
  int64_t created_ms = 0;
  Versioning versioning = Versioning::kOff;
  bool lock_enabled = false;  // then versioning stays enabled
  DefaultRetention default_retention;
  std::vector<std::pair<std::string, std::string>> tags;
};

enum class ChecksumType : uint8_t { kFullObject = 0, kComposite = 1 };

struct Checksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::kNone;
  ChecksumType type = ChecksumType::kFullObject;
  std::string value;  // base64; composite ones end in "-<parts>"
  bool operator==(const Checksum&) const = default;
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a writer says about an object; kept exactly as given.
struct Attributes {
  Pairs headers;  // lower-case names: content-type, cache-control, ..., x-amz-meta-*
  Pairs tags;
  Retention retention;
  bool legal_hold = false;
  bool operator==(const Attributes&) const = default;
};

struct PartInfo {
  uint32_t number = 0;
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;
  std::string etag;      // hexadecimal MD5, without quotes
  std::string checksum;  // base64, of the upload's algorithm; may be empty
};

// One version of an object, or a delete marker.
struct ObjectInfo {
  BucketId bucket = 0;
  std::string key;
  VersionSeq seq = 0;
  bool is_null = false;     // written without versioning: its id is "null"
  bool is_marker = false;
  bool is_latest = false;
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;
  std::string etag;         // without quotes
  Checksum checksum;
  Attributes attributes;
  std::vector<PartInfo> parts;  // of a multipart object; empty otherwise, and in listings
};

struct Upload {
  std::string id;  // 32 hexadecimal digits
  BucketId bucket = 0;
  std::string key;
  std::string owner;
  int64_t initiated_ms = 0;
  Checksum checksum;  // algorithm and type that its parts and result use
  Attributes attributes;
};

enum class Role : uint8_t { kAdmin = 0, kReadWrite = 1, kReadOnly = 2, kAppendOnly = 3 };

struct User {
  std::string access_key;
  std::string secret;  // in memory only; sealed wherever it is stored
  std::string name;
  Role role = Role::kReadWrite;
  bool enabled = true;
  int64_t created_ms = 0;
  // "bucket" or "bucket/prefix" each; empty: everything.
  std::vector<std::string> scopes;
};

}  // namespace holdfast
