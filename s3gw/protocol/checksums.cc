#include "s3gw/protocol/checksums.h"

#include "storage/base/checksum.h"

namespace holdfast::s3 {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

size_t raw_bytes(ChecksumAlgorithm a) {
  switch (a) {
    case ChecksumAlgorithm::kCrc32:
    case ChecksumAlgorithm::kCrc32c: return 4;
    case ChecksumAlgorithm::kCrc64Nvme: return 8;
    case ChecksumAlgorithm::kSha1: return 20;
    case ChecksumAlgorithm::kSha256: return 32;
    case ChecksumAlgorithm::kNone: return 0;
  }
  return 0;
}

}  // namespace

std::string_view checksum_name(ChecksumAlgorithm a) {
  switch (a) {
    case ChecksumAlgorithm::kCrc32: return "CRC32";
    case ChecksumAlgorithm::kCrc32c: return "CRC32C";
    case ChecksumAlgorithm::kCrc64Nvme: return "CRC64NVME";
    case ChecksumAlgorithm::kSha1: return "SHA1";
    case ChecksumAlgorithm::kSha256: return "SHA256";
    case ChecksumAlgorithm::kNone: return "";
  }
  return "";
}

std::string checksum_header(ChecksumAlgorithm a) { return "x-amz-checksum-" + lower(checksum_name(a)); }
std::string checksum_element(ChecksumAlgorithm a) { return "Checksum" + std::string(checksum_name(a)); }

std::optional<ChecksumAlgorithm> parse_checksum_name(std::string_view name) {
  for (ChecksumAlgorithm a : kAllChecksums) {
    if (lower(name) == lower(checksum_name(a))) return a;
  }
  return std::nullopt;
}

bool valid_checksum(ChecksumAlgorithm a, std::string_view value) {
  const auto raw = from_base64(value);
  return raw && raw->size() == raw_bytes(a);
}

RunningChecksum::RunningChecksum(ChecksumAlgorithm a) : algorithm_(a) {
  if (a == ChecksumAlgorithm::kSha1) digest_.emplace(DigestKind::kSha1);
  if (a == ChecksumAlgorithm::kSha256) digest_.emplace(DigestKind::kSha256);
}

void RunningChecksum::update(ByteSpan bytes) {
  switch (algorithm_) {
    case ChecksumAlgorithm::kCrc32: crc_ = crc32(bytes, static_cast<uint32_t>(crc_)); break;
    case ChecksumAlgorithm::kCrc32c: crc_ = crc32c(bytes, static_cast<uint32_t>(crc_)); break;
    case ChecksumAlgorithm::kCrc64Nvme: crc_ = crc64nvme(bytes, crc_); break;
    default:
      if (digest_) digest_->update(bytes);
  }
}

std::string RunningChecksum::finish() {
  if (digest_) return base64(as_bytes(digest_->finish()));
  const size_t n = raw_bytes(algorithm_);
  std::string raw(n, '\0');
  for (size_t i = 0; i < n; ++i) raw[i] = static_cast<char>(crc_ >> (8 * (n - 1 - i)));
  return base64(as_bytes(raw));
}

}  // namespace holdfast::s3
