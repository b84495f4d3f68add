// The object store's public face: objects, their versions, listings and multipart uploads.
//
// Every call blocks until its answer is final and is thread-safe: callers run it on worker threads, never on a
// thread that serves sockets. A write that returns success is durable and visible to every later call; one that
// returns kUnavailable may or may not have happened; any other error means that nothing changed.
#pragma once

#include <functional>
#include <memory>

#include "storage/base/bytes.h"
#include "storage/index/listing.h"
#include "storage/types.h"

namespace holdfast {

// A body on its way in. One thread at a time. Destroyed without a put: its space comes back.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // kOutOfSpace when the pool is full; kInvalidArgument when more than the announced size arrives.
  virtual Result<void> append(ByteSpan bytes) = 0;
  virtual uint64_t size_bytes() const = 0;
};

// An object opened for reading. One thread at a time. What it refers to stays readable while it lives, whatever
// is deleted or moved meanwhile. Must not outlive the store.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  virtual const ObjectInfo& info() const = 0;
  // Fills `out` from `offset_bytes` on; the range must lie within the object. kCorrupt when stored bytes fail
  // their check: nothing of `out` may be used then.
  virtual Result<void> read(uint64_t offset_bytes, MutableByteSpan out) = 0;
  // As read(), on any thread: false where it would have to wait for a device, and nothing of `out` may be used.
  virtual Result<bool> read_now(uint64_t /*offset_bytes*/, MutableByteSpan /*out*/) { return false; }
};

// What must hold for a write to happen, decided in the same instant as the write. ETags without quotes.
struct WriteConditions {
  std::vector<std::string> if_match;  // "*": any current version
  bool if_match_any = false;
  std::vector<std::string> if_none_match;
  bool if_none_match_any = false;     // no current version may exist
  bool create_only = false;           // as if_none_match_any, but the answer is kPermissionDenied
};

struct PutRequest {
  std::string bucket;
  std::string key;
  Attributes attributes;
  std::string etag;  // hexadecimal MD5; may be empty for a body from PromptStore::open_body_now(): then the store works it out
  Checksum checksum;
  WriteConditions conditions;
};

struct VersionRef {
  std::optional<VersionSeq> seq;  // one version
  bool null_version = false;      // the version whose id is "null"
  bool latest() const { return !seq && !null_version; }
};

struct RemoveRequest {
  std::string key;
  VersionRef version;
  bool bypass_governance = false;
  // Conditions on the version that goes; empty: none.
  std::vector<std::string> if_match;  // ETags
  std::optional<uint64_t> if_match_size_bytes;
  std::optional<int64_t> if_match_modified_ms;  // to the second
};

struct RemoveResult {
  bool made_marker = false;     // a delete marker was written
  bool removed_marker = false;  // the version removed was one
  bool removed = false;         // something was there
  VersionSeq seq = 0;           // of the marker made, or of the version removed
  bool is_null = false;
};

struct AttributeChange {
  std::optional<Pairs> tags;
  std::optional<Retention> retention;
  std::optional<bool> legal_hold;
  bool bypass_governance = false;
};

struct UploadRequest {
  std::string bucket;
  std::string key;
  std::string owner;
  Checksum checksum;  // algorithm and type
  Attributes attributes;
};

struct CompletedPart {
  uint32_t number = 0;
  std::string etag;
  Checksum checksum;  // as the client names it; none: not given
};

struct CompleteRequest {
  std::string bucket;
  std::string key;
  std::string upload_id;
  std::vector<CompletedPart> parts;
  std::string checksum;             // of the whole object; empty: not given
  std::optional<uint64_t> size_bytes;  // announced by the client
  uint64_t min_part_bytes = 5 << 20;
  WriteConditions conditions;
};

struct PartsPage {
  Upload upload;
  std::vector<PartInfo> parts;
  bool truncated = false;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Room for a body of exactly `size_bytes` in the bucket's pool.
  virtual Result<std::unique_ptr<BodySink>> open_body(const std::string& bucket, uint64_t size_bytes) = 0;
  // Commits the body as the newest version of the key.
  virtual Result<ObjectInfo> put(PutRequest request, std::unique_ptr<BodySink> body) = 0;
  // kNotFound with subject kBucket, kKey or kVersion. A delete marker is returned as what it is, without data.
  virtual Result<std::unique_ptr<ObjectReader>> get(const std::string& bucket, const std::string& key,
                                                    const VersionRef& version) = 0;
  // All in one commit; one result a request, in order.
  virtual Result<std::vector<Result<RemoveResult>>> remove(const std::string& bucket,
                                                           std::vector<RemoveRequest> requests) = 0;
  virtual Result<ObjectInfo> change_attributes(const std::string& bucket, const std::string& key,
                                               const VersionRef& version, AttributeChange change) = 0;
  // query.bucket is filled in.
  virtual Result<ListPage> list(const std::string& bucket, ListQuery query) = 0;

  virtual Result<Upload> create_upload(UploadRequest request) = 0;
  // `info`: number, etag and checksum; the time is filled in.
  virtual Result<PartInfo> put_part(const std::string& bucket, const std::string& key, const std::string& upload_id,
                                    PartInfo info, std::unique_ptr<BodySink> body) = 0;
  // The same request again, within seven days, gets the same answer and makes nothing.
  virtual Result<ObjectInfo> complete_upload(CompleteRequest request) = 0;
  // kNotFound with subject kUpload also for one that was completed or aborted.
  virtual Result<Upload> upload(const std::string& bucket, const std::string& key, const std::string& upload_id) = 0;
  virtual Result<void> abort_upload(const std::string& bucket, const std::string& key, const std::string& upload_id) = 0;
  virtual Result<UploadPage> list_uploads(const std::string& bucket, UploadQuery query) = 0;
  virtual Result<PartsPage> list_parts(const std::string& bucket, const std::string& key, const std::string& upload_id,
                                       uint32_t after, uint32_t max) = 0;
};

}  // namespace holdfast
