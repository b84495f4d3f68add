#include "s3gw/protocol/checksums.h"

#include "storage/base/bytes.h"
#include "storage/base/text.h"

namespace holdfast::s3 {

std::string_view checksum_name(ChecksumAlgorithm a) {
  switch (a) {
    case ChecksumAlgorithm::kCrc32: return "CRC32";
    case ChecksumAlgorithm::kCrc32c: return "CRC32C";
    case ChecksumAlgorithm::kCrc64Nvme: return "CRC64NVME";
    case ChecksumAlgorithm::kSha1: return "SHA1";
    case ChecksumAlgorithm::kSha256: return "SHA256";
    case ChecksumAlgorithm::kSha512: return "SHA512";
    case ChecksumAlgorithm::kMd5: return "MD5";
    case ChecksumAlgorithm::kXxhash64: return "XXHASH64";
    case ChecksumAlgorithm::kXxhash3: return "XXHASH3";
    case ChecksumAlgorithm::kXxhash128: return "XXHASH128";
    case ChecksumAlgorithm::kNone: return "";
  }
  return "";
}

std::string_view checksum_type_name(ChecksumType type) { return type == ChecksumType::kComposite ? "COMPOSITE" : "FULL_OBJECT"; }
std::string lower_checksum_name(ChecksumAlgorithm a) { return lower(checksum_name(a)); }
std::string checksum_header(ChecksumAlgorithm a) { return "x-amz-checksum-" + lower_checksum_name(a); }
std::string checksum_element(ChecksumAlgorithm a) { return "Checksum" + std::string(checksum_name(a)); }

std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name) {
  for (ChecksumAlgorithm a : kAllChecksums) {
    if (lower(name) == lower(checksum_name(a))) return a;
  }
  return std::nullopt;
}

bool valid_checksum(ChecksumAlgorithm a, std::string_view value) {
  const auto raw = from_base64(value);
  return raw && raw->size() == checksum_bytes(a);
}

std::unexpected<S3Error> unsupported_checksum() {
  std::string names;
  for (ChecksumAlgorithm a : kAllChecksums) names += (names.empty() ? "" : ", ") + std::string(checksum_name(a));
  return s3_fail("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [" + names + "]");
}

}  // namespace holdfast::s3
