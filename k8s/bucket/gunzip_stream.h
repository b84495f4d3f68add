// Unpacks gzip (RFC 1952), one member or several, piece by piece from a source that is read as needed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/base/bytes.h"
#include "storage/base/status.h"

struct inflate_state;

namespace holdfast::k8s {

// Not thread-safe. Holds 256 KiB.
class GunzipStream {
 public:
  // Fills the buffer as far as it can; 0: the end.
  using Source = std::function<Result<size_t>(MutableByteSpan)>;
  explicit GunzipStream(Source source);
  ~GunzipStream();
  GunzipStream(const GunzipStream&) = delete;

  // The next bytes; 0: the end, and every checksum held. kCorrupt: not gzip, damaged, or cut off.
  Result<size_t> read(MutableByteSpan out);

 private:
  Result<void> refill();
  // Behind a member: is there another one?
  Result<void> next_member();

  const Source source_;
  std::unique_ptr<inflate_state> state_;
  Bytes packed_;
  bool source_ended_ = false, ended_ = false;
};

// A text that is there whole. What comes after `max_bytes` of it is left out. kCorrupt, as above.
Result<std::string> gunzip(std::string_view packed, uint64_t max_bytes);

}  // namespace holdfast::k8s
