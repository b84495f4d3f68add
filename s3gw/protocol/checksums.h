// The checksums that S3 knows, over one pass of a body.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
#pragma once

#include <optional>

#include "s3gw/protocol/s3_error.h"
#include "storage/base/digest.h"
#include "storage/types.h"

namespace holdfast::s3 {

std::string_view checksum_name(ChecksumAlgorithm algorithm);          // "CRC32", ...
std::string checksum_header(ChecksumAlgorithm algorithm);             // "x-amz-checksum-crc32", ...
std::string checksum_element(ChecksumAlgorithm algorithm);            // "ChecksumCRC32", ...
std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name);  // any case
inline constexpr ChecksumAlgorithm kAllChecksums[] = {ChecksumAlgorithm::kCrc32, ChecksumAlgorithm::kCrc32c,
                                                      ChecksumAlgorithm::kCrc64Nvme, ChecksumAlgorithm::kSha1,
                                                      ChecksumAlgorithm::kSha256};

// Base64 of the right length for the algorithm?
bool valid_checksum(ChecksumAlgorithm algorithm, std::string_view value);

// One running checksum. Not thread-safe.
class RunningChecksum {
 public:
  explicit RunningChecksum(ChecksumAlgorithm algorithm);
  void update(ByteSpan bytes);
  std::string finish();  // base64

 private:
  ChecksumAlgorithm algorithm_;
  uint64_t crc_ = 0;
  std::optional<Digest> digest_;
};

}  // namespace holdfast::s3
