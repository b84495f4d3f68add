// An object of unknown size written into the store piece by piece; it becomes visible, whole, when it is finished.
#pragma once

#include "storage/base/checksum_algorithm.h"
#include "storage/object_store.h"

namespace holdfast::k8s {

// Not thread-safe. Holds one part (8 MiB) in memory. Destroyed without finish(): nothing is left.
class ObjectStream {
 public:
  ObjectStream(ObjectStore& store, std::string bucket, std::string key, std::string content_type);
  ~ObjectStream();
  ObjectStream(const ObjectStream&) = delete;

  Result<void> append(ByteSpan bytes);
  Result<ObjectInfo> finish();
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  Result<void> write_part();
  Result<ObjectInfo> put_whole();

  ObjectStore& store_;
  const std::string bucket_, key_;
  Attributes attributes_;
  Bytes part_;
  uint64_t size_bytes_ = 0;
  std::string upload_id_;
  std::vector<CompletedPart> parts_;
};

// A small object in one go.
Result<void> put_object(ObjectStore& store, const std::string& bucket, const std::string& key, std::string_view content,
                        const std::string& content_type);
// A whole object, up to `max_bytes`. kNotFound when it is not there. `info`, where it is given: what the store knows of that version.
Result<std::string> get_object(ObjectStore& store, const std::string& bucket, const std::string& key, uint64_t max_bytes, ObjectInfo* info = nullptr);

}  // namespace holdfast::k8s
