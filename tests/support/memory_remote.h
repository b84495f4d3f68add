// An S3 bucket in memory that can be made to fail, to lie and to lose.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "storage/remote_store.h"

namespace holdfast::test {

enum class Mishap {
  kNone,
  kRefused,      // nothing happens; kUnavailable
  kAnswerLost,   // it happens; kUnavailable
  kLost,         // it says that it happened, and it did not
  kOtherBytes,   // a byte of what is written is another one; the ETag is that of what arrived
};

// Thread-safe.
class MemoryRemote final : public RemoteStore {
 public:
  MemoryRemote() { place_.url = "http://memory"; place_.bucket = "far"; }

  // Asked before each call: "put KEY", "list PREFIX", ...
  std::function<Mishap(const std::string& call)> mishap;
  int64_t modified_ms = 1, clock_ms = 3'600'000;  // of everything that is there; what its clock says
  bool keeps_times = false;                       // true: each object has the time of its own that the clock said
  bool takes_conditions = true;  // false: conditional writes are ordinary ones
  bool locks = false;            // the bucket has Object Lock, and keeps versions; set before anything is written
  // Everything that is there.
  std::map<std::string, std::string> objects() const;
  std::vector<std::string> keys(const std::string& prefix) const;
  void set(const std::string& key, const std::string& body);
  // As a plain DELETE does where versions are kept: a marker hides it.
  void hide(const std::string& key);
  std::vector<std::string> versioned_keys() const;  // of which any version is there
  int64_t locked_until(const std::string& key) const;  // of what one sees of it; 0: it is not
  // No ETag of what is there has to do with what is in it any more, as at sites that encrypt.
  void make_etags_opaque();

  const RemotePlace& place() const override { return place_; }
  Result<RemoteObject> head(const std::string& key) override;
  Result<std::string> get(const std::string& key, uint64_t max_bytes) override;
  Result<std::string> read(const std::string& key, uint64_t offset_bytes, uint64_t size_bytes, const std::string& etag) override;
  Result<std::string> put(const RemotePut& request, std::string_view body) override;
  Result<std::string> copy(const std::string& from, const std::string& to) override;
  Result<RemotePage> list(const RemoteList& request) override;
  Result<void> remove(const std::string& key) override;
  Result<Pairs> tags(const std::string&) override { return Pairs(); }
  Result<std::string> create_upload(const RemotePut& request) override;
  Result<RemotePart> put_part(const std::string& key, const std::string& upload_id, uint32_t number, std::string_view body, const std::string& md5 = "") override;
  Result<std::string> complete_upload(const std::string& key, const std::string& upload_id, const std::vector<RemotePart>& parts) override;
  Result<void> abort_upload(const std::string& key, const std::string& upload_id) override;
  Result<std::vector<RemoteUpload>> uploads(const std::string& prefix) override;
  Result<std::vector<RemotePart>> parts(const std::string& key, const std::string& upload_id) override;
  Result<std::string> versioning() override { return std::string(); }
  Result<bool> object_lock() override { return locks; }
  Result<void> lock(const std::string& key, int64_t until_ms) override;
  Result<std::vector<RemoteVersion>> versions(const std::string& prefix) override;
  Result<RemoteObject> head_version(const std::string& key, const std::string& version_id) override;
  Result<std::string> get_version(const std::string& key, const std::string& version_id, uint64_t max_bytes) override;
  Result<void> remove_version(const std::string& key, const std::string& version_id) override;
  std::optional<int64_t> clock_ahead_ms() const override { return std::nullopt; }
  std::optional<int64_t> now_ms() const override { return clock_ms; }
  uint64_t requests() const override { return requests_; }
  void limit_bandwidth(uint64_t) override {}
  void stop() override {}

 private:
  struct Stored {
    std::string body, etag;
    int64_t written_ms = 0;
  };
  struct Version {
    std::string id;
    Stored stored;
    bool is_marker = false;
    int64_t locked_until_ms = 0;
  };
  struct Upload {
    std::string key;
    int64_t initiated_ms = 0;
    std::map<uint32_t, Stored> parts;
  };
  // With the lock held:
  void write(const std::string& key, Stored stored, int64_t locked_until_ms = 0);
  void show_latest(const std::string& key);
  Version* version(const std::string& key, const std::string& id);
  Version* latest(const std::string& key);
  int64_t modified(const Stored& stored) const { return keeps_times ? stored.written_ms : modified_ms; }
  // What is to be done about a call; an error where nothing is.
  Result<Mishap> enter(const std::string& call);
  static std::string arrived(Mishap mishap, std::string_view body);

  RemotePlace place_;
  mutable std::mutex mutex_;
  std::map<std::string, Stored> objects_;
  std::map<std::string, std::vector<Version>> versions_;  // where they are kept; oldest first
  std::map<std::string, Upload> uploads_;
  uint64_t requests_ = 0, next_upload_ = 1, next_version_ = 1;
};

}  // namespace holdfast::test
