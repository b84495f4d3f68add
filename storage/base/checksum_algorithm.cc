#include "storage/base/checksum_algorithm.h"

#include <xxhash.h>

#include "storage/base/checksum.h"

namespace holdfast {

namespace {

std::optional<DigestKind> digest_kind(ChecksumAlgorithm a) {
  switch (a) {
    case ChecksumAlgorithm::kSha1: return DigestKind::kSha1;
    case ChecksumAlgorithm::kSha256: return DigestKind::kSha256;
    case ChecksumAlgorithm::kSha512: return DigestKind::kSha512;
    case ChecksumAlgorithm::kMd5: return DigestKind::kMd5;
    default: return std::nullopt;
  }
}

std::string big_endian(uint64_t value, size_t bytes) {
  std::string raw(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) raw[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  return raw;
}

}  // namespace

size_t checksum_bytes(ChecksumAlgorithm a) {
  switch (a) {
    case ChecksumAlgorithm::kNone: return 0;
    case ChecksumAlgorithm::kCrc32:
    case ChecksumAlgorithm::kCrc32c: return 4;
    case ChecksumAlgorithm::kCrc64Nvme:
    case ChecksumAlgorithm::kXxhash64:
    case ChecksumAlgorithm::kXxhash3: return 8;
    case ChecksumAlgorithm::kMd5:
    case ChecksumAlgorithm::kXxhash128: return 16;
    case ChecksumAlgorithm::kSha1: return 20;
    case ChecksumAlgorithm::kSha256: return 32;
    case ChecksumAlgorithm::kSha512: return 64;
  }
  return 0;
}

bool joins(ChecksumAlgorithm a) {
  return a == ChecksumAlgorithm::kCrc32 || a == ChecksumAlgorithm::kCrc32c || a == ChecksumAlgorithm::kCrc64Nvme;
}

void RunningChecksum::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }
void RunningChecksum::Free::operator()(XXH64_state_s* state) const { XXH64_freeState(state); }

RunningChecksum::RunningChecksum(ChecksumAlgorithm a) : algorithm_(a) {
  if (const auto kind = digest_kind(a)) digest_.emplace(*kind);
  if (a == ChecksumAlgorithm::kXxhash64) {
    xxh64_.reset(XXH64_createState());
    XXH64_reset(xxh64_.get(), 0);
  }
  if (a == ChecksumAlgorithm::kXxhash3 || a == ChecksumAlgorithm::kXxhash128) {
    xxh3_.reset(XXH3_createState());
    if (a == ChecksumAlgorithm::kXxhash3) XXH3_64bits_reset(xxh3_.get());
    else XXH3_128bits_reset(xxh3_.get());
  }
}

void RunningChecksum::update(ByteSpan bytes) {
  switch (algorithm_) {
    case ChecksumAlgorithm::kNone: break;
    case ChecksumAlgorithm::kCrc32: crc_ = crc32(bytes, static_cast<uint32_t>(crc_)); break;
    case ChecksumAlgorithm::kCrc32c: crc_ = crc32c(bytes, static_cast<uint32_t>(crc_)); break;
    case ChecksumAlgorithm::kCrc64Nvme: crc_ = crc64nvme(bytes, crc_); break;
    case ChecksumAlgorithm::kXxhash64: XXH64_update(xxh64_.get(), bytes.data(), bytes.size()); break;
    case ChecksumAlgorithm::kXxhash3: XXH3_64bits_update(xxh3_.get(), bytes.data(), bytes.size()); break;
    case ChecksumAlgorithm::kXxhash128: XXH3_128bits_update(xxh3_.get(), bytes.data(), bytes.size()); break;
    default: digest_->update(bytes);
  }
}

std::string RunningChecksum::finish() {
  if (digest_) return digest_->finish();
  if (algorithm_ == ChecksumAlgorithm::kXxhash64) return big_endian(XXH64_digest(xxh64_.get()), 8);
  if (algorithm_ == ChecksumAlgorithm::kXxhash3) return big_endian(XXH3_64bits_digest(xxh3_.get()), 8);
  if (algorithm_ == ChecksumAlgorithm::kXxhash128) {
    const XXH128_hash_t hash = XXH3_128bits_digest(xxh3_.get());
    return big_endian(hash.high64, 8) + big_endian(hash.low64, 8);
  }
  return big_endian(crc_, checksum_bytes(algorithm_));
}

std::string RunningChecksum::finish_base64() { return base64(as_bytes(finish())); }

}  // namespace holdfast
