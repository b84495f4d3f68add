// The checksums that clients can ask for, over one pass of the bytes. Numbers are on disk: they are never given to
// another algorithm.
#pragma once

#include <optional>
#include <string>

#include "storage/base/digest.h"

struct XXH3_state_s;
struct XXH64_state_s;

namespace holdfast {

enum class ChecksumAlgorithm : uint8_t {
  kNone = 0,
  kCrc32,
  kCrc32c,
  kCrc64Nvme,
  kSha1,
  kSha256,
  kSha512,
  kMd5,
  kXxhash64,
  kXxhash3,
  kXxhash128,
};

// What is kept where nobody named an algorithm, as in S3.
constexpr ChecksumAlgorithm or_default(ChecksumAlgorithm named) {
  return named == ChecksumAlgorithm::kNone ? ChecksumAlgorithm::kCrc64Nvme : named;
}

// The length of a finished value before base64; 0 for kNone.
size_t checksum_bytes(ChecksumAlgorithm algorithm);
// Can the checksum of joined pieces be had from theirs?
bool joins(ChecksumAlgorithm algorithm);

// One running checksum. Values are big-endian, as S3 writes them. Not thread-safe.
class RunningChecksum {
 public:
  explicit RunningChecksum(ChecksumAlgorithm algorithm);
  void update(ByteSpan bytes);
  std::string finish();         // raw bytes
  std::string finish_base64();

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
    void operator()(XXH64_state_s* state) const;
  };
  ChecksumAlgorithm algorithm_;
  uint64_t crc_ = 0;
  std::optional<Digest> digest_;
  std::unique_ptr<XXH3_state_s, Free> xxh3_;
  std::unique_ptr<XXH64_state_s, Free> xxh64_;
};

}  // namespace holdfast
