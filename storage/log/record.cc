#include "storage/log/record.h"

namespace holdfast {

namespace {

constexpr uint8_t kFlagSealed = 1;
constexpr uint8_t kFlagLast = 2;
constexpr size_t kCheckedFrom = 8;  // after magic and checksum

uint32_t checksum_of(const SegmentContext& c, uint32_t offset, ByteSpan record) {
  return crc32c(record.subspan(kCheckedFrom), c.layout->checksum_seed(c.segment, c.generation, offset));
}

Status damaged(const SegmentContext& c, uint32_t offset, std::string_view what) {
  return Status(Code::kCorrupt, Subject::kPool,
                "journal record in segment " + std::to_string(c.segment) + " at " + std::to_string(offset) + ": " +
                    std::string(what));
}

}  // namespace

size_t record_bytes(size_t payload_bytes, bool sealed) {
  return align_up(RecordHeader::kBytes + payload_bytes + (sealed ? kTagBytes : 0), 8);
}

void encode_record(const SegmentContext& c, uint32_t offset, RecordHeader& h, ByteSpan payload, MutableByteSpan out) {
  h.sealed = c.key.has_value();
  h.payload_bytes = static_cast<uint32_t>(payload.size());
  h.total_bytes = static_cast<uint32_t>(record_bytes(payload.size(), h.sealed));
  std::byte* at = out.data();
  std::memset(at, 0, RecordHeader::kBytes);
  store_le(at, RecordHeader::kMagic);
  store_le(at + 8, h.total_bytes);
  store_le(at + 12, h.payload_bytes);
  store_le(at + 16, h.lsn);
  store_le(at + 24, h.flushed_lsn);
  at[32] = static_cast<std::byte>(h.type);
  at[33] = static_cast<std::byte>((h.sealed ? kFlagSealed : 0) | (h.last_in_group ? kFlagLast : 0));
  std::byte* body = at + RecordHeader::kBytes;
  if (h.sealed) {
    aead_seal(*c.key, counter_nonce(offset), ByteSpan(at + kCheckedFrom, RecordHeader::kBytes - kCheckedFrom), payload,
              {body, payload.size()}, std::span<std::byte, kTagBytes>(body + payload.size(), kTagBytes));
  } else if (!payload.empty()) {
    std::memcpy(body, payload.data(), payload.size());
  }
  const size_t used = RecordHeader::kBytes + payload.size() + (h.sealed ? kTagBytes : 0);
  std::memset(at + used, 0, h.total_bytes - used);
  h.checksum = checksum_of(c, offset, {at, h.total_bytes});
  store_le(at + 4, h.checksum);
}

std::optional<RecordHeader> peek_record(ByteSpan bytes) {
  if (bytes.size() < RecordHeader::kBytes || load_le<uint32_t>(bytes.data()) != RecordHeader::kMagic) return std::nullopt;
  RecordHeader h;
  h.checksum = load_le<uint32_t>(bytes.data() + 4);
  h.total_bytes = load_le<uint32_t>(bytes.data() + 8);
  h.payload_bytes = load_le<uint32_t>(bytes.data() + 12);
  h.lsn = load_le<uint64_t>(bytes.data() + 16);
  h.flushed_lsn = load_le<uint64_t>(bytes.data() + 24);
  h.type = static_cast<uint8_t>(bytes[32]);
  const auto flags = static_cast<uint8_t>(bytes[33]);
  h.sealed = (flags & kFlagSealed) != 0;
  h.last_in_group = (flags & kFlagLast) != 0;
  if (h.total_bytes != record_bytes(h.payload_bytes, h.sealed)) return std::nullopt;
  return h;
}

bool check_record(const SegmentContext& c, uint32_t offset, const RecordHeader& h, ByteSpan bytes) {
  return bytes.size() >= h.total_bytes && h.sealed == c.key.has_value() &&
         checksum_of(c, offset, bytes.first(h.total_bytes)) == h.checksum;
}

Result<Bytes> open_record(const SegmentContext& c, uint32_t offset, ByteSpan bytes, RecordHeader* header) {
  const auto h = peek_record(bytes);
  if (!h) return error(damaged(c, offset, "no record there"));
  if (!check_record(c, offset, *h, bytes)) return error(damaged(c, offset, "checksum does not match"));
  Bytes payload(h->payload_bytes);
  const std::byte* body = bytes.data() + RecordHeader::kBytes;
  if (h->sealed) {
    const bool ok = aead_open(*c.key, counter_nonce(offset),
                              ByteSpan(bytes.data() + kCheckedFrom, RecordHeader::kBytes - kCheckedFrom),
                              {body, payload.size()},
                              std::span<const std::byte, kTagBytes>(body + payload.size(), kTagBytes), payload);
    if (!ok) return error(damaged(c, offset, "does not open with the segment's key"));
  } else {
    std::copy_n(body, payload.size(), payload.begin());
  }
  if (header != nullptr) *header = *h;
  return payload;
}

}  // namespace holdfast
