// Objects in an S3 bucket elsewhere: another Holdfast, MinIO, Ceph RGW, a cloud.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/types.h"

namespace holdfast {

struct RemotePlace {
  std::string url;       // https://host:port, without a path
  std::string region = "us-east-1";
  std::string bucket;
  std::string ca_pem;    // authorities that may vouch for it; empty: those of the system
  std::string access_key, secret;
  uint64_t bytes_per_second = 0;  // at most, in both directions together; 0: as fast as it goes
};

struct RemoteObject {
  std::string key;
  uint64_t size_bytes = 0;
  std::string etag;      // without quotes; of objects in one piece mostly their MD5
  int64_t modified_ms = 0;
  int64_t locked_until_ms = 0;  // of what head() gives: nobody can remove it before, in compliance mode; 0: it is not locked so
};

// One version of an object, or a delete marker, in a bucket that keeps them.
struct RemoteVersion {
  std::string key, id;
  uint64_t size_bytes = 0;
  std::string etag;
  int64_t modified_ms = 0;
  bool is_marker = false, is_latest = false;
};

struct RemotePage {
  std::vector<RemoteObject> objects;         // by key
  std::vector<std::string> common_prefixes;  // where a delimiter was given
  std::string next;                          // what the next page begins behind; empty: this is the last
};

struct RemoteList {
  std::string prefix, delimiter;
  std::string token;      // `next` of the page before
  unsigned max_keys = 1000;
  std::string after;  // of the first page: it begins behind this key
};

struct RemotePut {
  std::string key;
  std::string content_type = "application/octet-stream";
  Pairs tags;
  std::string md5;              // of the body, as hex, where it is known: then the server compares it
  bool only_new = false;        // kFailedPrecondition where there is one already
  std::string only_if_etag;     // kFailedPrecondition where there is none, or another one
  int64_t locked_until_ms = 0;  // in compliance mode, to the second; the MD5 of a body must be given then
};

struct RemotePart {
  uint32_t number = 0;
  std::string etag;
  uint64_t size_bytes = 0;
};

struct RemoteUpload {
  std::string key, id;
  int64_t initiated_ms = 0;
};

// Thread-safe; calls block. A body is sent with its MD5 where the caller knows that: over TLS, which keeps it from being changed on its way,
// that is signed instead of the body; else its SHA-256 is. So what arrives is what was meant. What may help is tried again for a
// minute: a server that is not reached, is busy or fails, a clock that goes wrong by a quarter of an hour.
// Errors: kNotFound (kBucket, kKey, kUpload), kPermissionDenied, kFailedPrecondition, kOutOfSpace, kUnavailable, kDeadlineExceeded,
// kCorrupt (an answer that cannot be true), kInvalidArgument for other refusals; each with what the server said.
class RemoteStore {
 public:
  virtual ~RemoteStore() = default;
  virtual const RemotePlace& place() const = 0;

  virtual Result<RemoteObject> head(const std::string& key) = 0;
  // kInvalidArgument: it is larger than `max_bytes`.
  virtual Result<std::string> get(const std::string& key, uint64_t max_bytes) = 0;
  // These bytes of it, exactly. kFailedPrecondition: it is another one than `etag` by now (empty: any).
  virtual Result<std::string> read(const std::string& key, uint64_t offset_bytes, uint64_t size_bytes, const std::string& etag) = 0;
  // Gives the ETag.
  virtual Result<std::string> put(const RemotePut& request, std::string_view body) = 0;
  // The server copies it to another key, in one piece: 5 GiB at most, at some servers. Gives the ETag of the copy, which need not be that
  // of an original in parts.
  virtual Result<std::string> copy(const std::string& from, const std::string& to) = 0;
  virtual Result<RemotePage> list(const RemoteList& request) = 0;
  // One that is not there is a success. In a bucket with Object Lock all of its versions go, the newest last; kPermissionDenied (kLock): one
  // of them is locked, and what one sees of the object has not changed.
  virtual Result<void> remove(const std::string& key) = 0;
  virtual Result<Pairs> tags(const std::string& key) = 0;

  virtual Result<std::string> create_upload(const RemotePut& request) = 0;
  virtual Result<RemotePart> put_part(const std::string& key, const std::string& upload_id, uint32_t number, std::string_view body, const std::string& md5 = "") = 0;
  virtual Result<std::string> complete_upload(const std::string& key, const std::string& upload_id, const std::vector<RemotePart>& parts) = 0;
  virtual Result<void> abort_upload(const std::string& key, const std::string& upload_id) = 0;
  // Those under a prefix that have not ended, 1,000 at most.
  virtual Result<std::vector<RemoteUpload>> uploads(const std::string& prefix) = 0;
  virtual Result<std::vector<RemotePart>> parts(const std::string& key, const std::string& upload_id) = 0;

  // "Enabled", "Suspended" or empty; kUnimplemented where the server knows nothing of it.
  virtual Result<std::string> versioning() = 0;
  // Is Object Lock on?
  virtual Result<bool> object_lock() = 0;
  // Nobody can remove what is there now before that time, in compliance mode; a longer lock stays.
  virtual Result<void> lock(const std::string& key, int64_t until_ms) = 0;
  // Of all keys with that prefix, by key, newest first.
  virtual Result<std::vector<RemoteVersion>> versions(const std::string& prefix) = 0;
  virtual Result<RemoteObject> head_version(const std::string& key, const std::string& version_id) = 0;
  virtual Result<std::string> get_version(const std::string& key, const std::string& version_id, uint64_t max_bytes) = 0;
  // For good. kPermissionDenied (kLock): it is locked.
  virtual Result<void> remove_version(const std::string& key, const std::string& version_id) = 0;
  // How far its clock is ahead of this host's, by its last answer; nothing before the first.
  virtual std::optional<int64_t> clock_ahead_ms() const = 0;
  // What its clock says now, as far as that is known; by it go the times of its objects.
  virtual std::optional<int64_t> now_ms() const = 0;
  virtual uint64_t requests() const = 0;  // sent so far

  // RemotePlace::bytes_per_second, from the next call on.
  virtual void limit_bandwidth(uint64_t bytes_per_second) = 0;
  // Ends running calls and refuses further ones.
  virtual void stop() = 0;
};

// Sends nothing yet. kInvalidArgument: the place cannot be meant.
Result<std::unique_ptr<RemoteStore>> open_remote_store(RemotePlace place, Clock& clock, std::chrono::milliseconds retry_for = std::chrono::minutes(1));

}  // namespace holdfast
