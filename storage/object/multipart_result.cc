#include "storage/object/multipart_result.h"

#include <map>

#include "storage/base/checksum.h"
#include "storage/base/crc_combine.h"
#include "storage/base/digest.h"

namespace holdfast {

namespace {

Status invalid_part(uint32_t number) {
  return Status(Code::kInvalidArgument, Subject::kPart,
                "part " + std::to_string(number) + " was not uploaded, or has another ETag");
}

template <typename T>
std::string big_endian(T value) {
  std::string out(sizeof(T), '\0');
  for (size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
  return out;
}

uint64_t from_big_endian(ByteSpan bytes) {
  uint64_t value = 0;
  for (std::byte b : bytes) value = (value << 8) | static_cast<uint64_t>(b);
  return value;
}

// The checksum of the joined data out of the parts' checksums; CRCs only.
std::string joined_crc(ChecksumAlgorithm algorithm, const std::vector<StoredPart>& parts) {
  uint64_t crc = 0;
  bool first = true;
  for (const StoredPart& p : parts) {
    const auto raw = from_base64(p.info.checksum);
    const uint64_t next = raw ? from_big_endian(*raw) : 0;
    crc = first ? next : combine_crc(algorithm == ChecksumAlgorithm::kCrc32    ? CrcKind::kCrc32
                                     : algorithm == ChecksumAlgorithm::kCrc32c ? CrcKind::kCrc32c
                                                                               : CrcKind::kCrc64Nvme,
                                     crc, next, p.info.size_bytes);
    first = false;
  }
  const std::string bytes = algorithm == ChecksumAlgorithm::kCrc64Nvme ? big_endian(crc)
                                                                       : big_endian(static_cast<uint32_t>(crc));
  return base64(as_bytes(bytes));
}

// The checksum over the parts' checksums.
std::string composite(ChecksumAlgorithm algorithm, const std::vector<StoredPart>& parts) {
  std::string all;
  for (const StoredPart& p : parts) {
    if (const auto raw = from_base64(p.info.checksum)) all += as_text(*raw);
  }
  RunningChecksum checksum(algorithm);
  checksum.update(as_bytes(all));
  return checksum.finish_base64() + "-" + std::to_string(parts.size());
}

// The parts that the request names. Their checksums were kept with the algorithm `kept`.
Result<std::vector<StoredPart>> pick(std::vector<StoredPart> stored, const CompleteRequest& request, ChecksumAlgorithm kept) {
  std::map<uint32_t, StoredPart> by_number;
  for (StoredPart& p : stored) by_number.emplace(p.info.number, std::move(p));
  std::vector<StoredPart> picked;
  uint32_t before = 0;
  for (const CompletedPart& wanted : request.parts) {
    if (wanted.number <= before) {
      return error(Code::kInvalidArgument, Subject::kPartOrder, "the part list is not in ascending order");
    }
    before = wanted.number;
    const auto found = by_number.find(wanted.number);
    const bool match = found != by_number.end() && found->second.info.etag == wanted.etag &&
                       (wanted.checksum.algorithm != kept || wanted.checksum.value == found->second.info.checksum);
    if (!match) return error(invalid_part(wanted.number));
    picked.push_back(std::move(found->second));
  }
  if (picked.empty()) return error(Code::kInvalidArgument, Subject::kPart, "the part list is empty");
  for (size_t i = 0; i + 1 < picked.size(); ++i) {
    if (picked[i].info.size_bytes < request.min_part_bytes) {
      return error(Code::kInvalidArgument, Subject::kPartSize,
                   "part " + std::to_string(picked[i].info.number) + " is smaller than " +
                       std::to_string(request.min_part_bytes) + " bytes and not the last");
    }
  }
  return picked;
}

}  // namespace

std::string part_list_fingerprint(const std::vector<CompletedPart>& parts) {
  std::string all;
  for (const CompletedPart& p : parts) all += std::to_string(p.number) + ":" + p.etag + "\n";
  return Digest::of(DigestKind::kSha256, as_bytes(all));
}

Result<StoredVersion> assemble(const Upload& upload, std::vector<StoredPart> stored, const CompleteRequest& request) {
  StoredVersion version;
  Checksum kept = upload.checksum;
  kept.algorithm = or_default(kept.algorithm);
  HF_TRY(version.parts, pick(std::move(stored), request, kept.algorithm));
  std::string digests;
  for (const StoredPart& p : version.parts) {
    version.info.size_bytes += p.info.size_bytes;
    if (const auto md5 = from_hex(p.info.etag)) digests += as_text(*md5);
  }
  if (request.size_bytes && *request.size_bytes != version.info.size_bytes) {
    return error(Code::kInvalidArgument, Subject::kBodySize,
                 "The provided 'x-amz-mp-object-size' header value " + std::to_string(*request.size_bytes) +
                     " does not match what was computed: " + std::to_string(version.info.size_bytes));
  }
  version.info.key = upload.key;
  version.info.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(digests)))) + "-" +
                      std::to_string(version.parts.size());
  version.info.attributes = upload.attributes;
  Checksum& checksum = version.info.checksum;
  checksum = kept;
  const bool all_have = std::all_of(version.parts.begin(), version.parts.end(),
                                    [](const StoredPart& p) { return !p.info.checksum.empty(); });
  if (!all_have) {
    checksum = {};
    return version;
  }
  checksum.value = checksum.type == ChecksumType::kFullObject ? joined_crc(checksum.algorithm, version.parts)
                                                              : composite(checksum.algorithm, version.parts);
  const bool given = !request.checksum.empty();
  // Clients give a composite value with or without its "-<parts>".
  const bool match = request.checksum == checksum.value || checksum.value.starts_with(request.checksum + "-");
  if (given && !match) {
    return error(Code::kInvalidArgument, Subject::kBody, "the checksum given for the object is not that of its parts");
  }
  return version;
}

}  // namespace holdfast
