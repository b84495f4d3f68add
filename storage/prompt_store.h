// What an object store does on the threads that serve sockets: requests that need no device and no other thread's turn. They are most
// requests for small objects, and a trip to a worker and back costs more than their work.
//
// Thread-safe. Nothing here waits for a device, but for the host's own disk where a page of the index is not in memory.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "storage/object_store.h"

namespace holdfast {

class PromptStore {
 public:
  virtual ~PromptStore() = default;

  // As ObjectStore::get(). Nothing: it would have to wait, ask there.
  virtual std::optional<Result<std::unique_ptr<ObjectReader>>> get_now(const std::string& bucket, const std::string& key,
                                                                       const VersionRef& version) = 0;
  // As ObjectStore::open_body(). Null: not for a body of this size or as things stand, ask there.
  virtual std::unique_ptr<BodySink> open_body_now(const std::string& bucket, uint64_t size_bytes) = 0;
  // As ObjectStore::put() of a body from open_body_now(). `done` is called once, on another thread or on this one, and must not block.
  using PutDone = std::function<void(Result<ObjectInfo>)>;
  virtual void put_soon(PutRequest request, std::unique_ptr<BodySink> body, PutDone done) = 0;
};

}  // namespace holdfast
