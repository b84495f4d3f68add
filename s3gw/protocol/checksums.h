// The checksums that S3 knows, by their names in headers and documents.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
#pragma once

#include <optional>

#include "s3gw/protocol/s3_error.h"
#include "storage/types.h"

namespace holdfast::s3 {

std::string_view checksum_name(ChecksumAlgorithm algorithm);          // "CRC32", ...
std::string_view checksum_type_name(ChecksumType type);                // "COMPOSITE" or "FULL_OBJECT"
std::string lower_checksum_name(ChecksumAlgorithm algorithm);          // "crc32", ...
std::string checksum_header(ChecksumAlgorithm algorithm);             // "x-amz-checksum-crc32", ...
std::string checksum_element(ChecksumAlgorithm algorithm);            // "ChecksumCRC32", ...
std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name);  // any case
inline constexpr ChecksumAlgorithm kAllChecksums[] = {ChecksumAlgorithm::kCrc32, ChecksumAlgorithm::kCrc32c,
                                                      ChecksumAlgorithm::kCrc64Nvme, ChecksumAlgorithm::kMd5,
                                                      ChecksumAlgorithm::kSha1, ChecksumAlgorithm::kSha256,
                                                      ChecksumAlgorithm::kSha512, ChecksumAlgorithm::kXxhash128,
                                                      ChecksumAlgorithm::kXxhash3, ChecksumAlgorithm::kXxhash64};
// InvalidRequest that lists what there is.
std::unexpected<S3Error> unsupported_checksum();

// Base64 of the right length for the algorithm?
bool valid_checksum(ChecksumAlgorithm algorithm, std::string_view value);

}  // namespace holdfast::s3
