// The objects of an archive on local disk, for reading in any order. They hold secrets: what lies there is encrypted
// under a key that is only in memory, and the file has no name.
#pragma once

#include <memory>
#include <string>

#include "storage/crypto/aead.h"

namespace holdfast::k8s {

// Where one lies.
struct SpoolPlace {
  uint64_t offset_bytes = 0;
  uint32_t size_bytes = 0;
};

// add() from one thread; read() from any number of them once flush() was called.
class ItemSpool {
 public:
  // kIoError: nothing can be made in the directory.
  static Result<std::unique_ptr<ItemSpool>> create(const std::string& directory, Random& random);
  ~ItemSpool();
  ItemSpool(const ItemSpool&) = delete;

  // kOutOfSpace: the disk is full, or less than 512 MiB of it would be left.
  Result<SpoolPlace> add(std::string_view content);
  Result<void> flush();
  // kCorrupt: the disk gave back something else.
  Result<std::string> read(const SpoolPlace& place) const;

 private:
  ItemSpool(int fd, const SecretKey& key) : fd_(fd), key_(key) {}

  const int fd_;
  const SecretKey key_;
  Bytes waiting_;
  uint64_t written_bytes_ = 0;
};

}  // namespace holdfast::k8s
