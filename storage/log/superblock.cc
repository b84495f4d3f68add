#include "storage/log/superblock.h"

#include "storage/base/checksum.h"

namespace holdfast {

namespace {

constexpr std::string_view kMagic = "HOLDFAST";
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumAt = 8;
constexpr size_t kPayloadAt = 16;

uint32_t checksum_of(ByteSpan block, uint64_t offset_bytes) {
  std::byte context[8];
  store_le(context, offset_bytes);
  return crc32c(block.subspan(kChecksumAt + 4), crc32c(context));
}

}  // namespace

Bytes encode_superblock(const Superblock& s, uint64_t offset_bytes) {
  ByteWriter w;
  w.raw(as_bytes(kMagic));
  w.u32(0);  // checksum, below
  w.u32(kVersion);
  w.u64(s.sequence);
  w.raw(s.layout.pool_id);
  w.u32(s.layout.device_id);
  w.u32(1);  // devices in the pool
  w.u32(s.layout.block_bytes);
  w.u64(s.layout.segment_bytes);
  w.u32(s.layout.segment_count);
  w.u32(s.epoch);
  w.u64(static_cast<uint64_t>(s.created_ms));
  w.u8(s.encrypted ? 1 : 0);
  w.text(s.pool_name);
  w.text(s.key_by_master);
  w.text(s.key_by_recovery);
  w.text(s.device_identity);
  w.text(s.holder);
  w.u64(s.journal_first);
  w.u32(s.journal_head_segment);
  w.u64(s.journal_head);
  w.u32(static_cast<uint32_t>(s.snapshots.size()));
  for (const SnapshotRef& snapshot : s.snapshots) {
    w.u64(snapshot.lsn);
    w.u32(snapshot.record_checksum);
    w.u64(snapshot.raw_bytes);
    w.text(snapshot.body);
  }
  Bytes out = w.take();
  out.resize(kSuperblockBytes);
  store_le(out.data() + kChecksumAt, checksum_of(out, offset_bytes));
  return out;
}

Result<Superblock> decode_superblock(ByteSpan bytes, uint64_t offset_bytes) {
  if (bytes.size() != kSuperblockBytes || as_text(bytes.first(kMagic.size())) != kMagic) {
    return error(Code::kNotFound, Subject::kPool, "no Holdfast superblock");
  }
  if (load_le<uint32_t>(bytes.data() + kChecksumAt) != checksum_of(bytes, offset_bytes)) {
    return error(Code::kCorrupt, Subject::kPool, "a superblock copy fails its check");
  }
  ByteReader r(bytes.subspan(kChecksumAt + 4));
  if (const uint32_t version = r.u32(); version != kVersion) {
    return error(Code::kUnimplemented, Subject::kPool,
                 "the pool has format version " + std::to_string(version) + "; this program reads 1");
  }
  Superblock s;
  s.sequence = r.u64();
  ByteSpan pool_id = r.raw(16);
  if (r.ok()) std::copy(pool_id.begin(), pool_id.end(), s.layout.pool_id.begin());
  s.layout.device_id = r.u32();
  r.u32();
  s.layout.block_bytes = r.u32();
  s.layout.segment_bytes = r.u64();
  s.layout.segment_count = r.u32();
  s.epoch = r.u32();
  s.created_ms = static_cast<int64_t>(r.u64());
  s.encrypted = r.u8() != 0;
  s.pool_name = r.text();
  s.key_by_master = r.text();
  s.key_by_recovery = r.text();
  s.device_identity = r.text();
  s.holder = r.text();
  s.journal_first = r.u64();
  s.journal_head_segment = r.u32();
  s.journal_head = r.u64();
  for (uint32_t n = r.count(24); n > 0; --n) {
    SnapshotRef snapshot;
    snapshot.lsn = r.u64();
    snapshot.record_checksum = r.u32();
    snapshot.raw_bytes = r.u64();
    snapshot.body = r.text();
    s.snapshots.push_back(std::move(snapshot));
  }
  const Layout& l = s.layout;
  const bool sane = r.ok() && l.block_bytes >= 4096 && l.block_bytes % 4096 == 0 && l.segment_count >= kMinSegments &&
                    l.segment_bytes % l.block_bytes == 0 && l.segment_bytes >= 8 * l.block_bytes;
  if (!sane) return error(Code::kCorrupt, Subject::kPool, "a superblock copy passes its check but makes no sense");
  return s;
}

Result<Superblock> read_superblock(BlockDevice& device) {
  if (device.info().size_bytes < kHeaderAreaBytes) {
    return error(Code::kNotFound, Subject::kPool, device.info().name + " is too small to hold a pool");
  }
  return read_superblock([&device](uint64_t offset, MutableByteSpan out) { return device.read(offset, out); },
                         device.info().name);
}

Result<Superblock> read_superblock(const BlockDevice::LoginRead& read, const std::string& name) {
  Result<Superblock> best = error(Code::kNotFound, Subject::kPool, "no Holdfast pool on " + name);
  bool damaged = false;
  for (uint64_t offset : kSuperblockOffsets) {
    AlignedBuffer block(kSuperblockBytes);
    HF_CHECK(read(offset, block.span()));
    auto copy = decode_superblock(block.span(), offset);
    if (!copy && copy.error().code() == Code::kUnimplemented) return copy;
    damaged = damaged || (!copy && copy.error().code() == Code::kCorrupt);
    if (copy && (!best || best->sequence < copy->sequence)) best = std::move(copy);
  }
  if (!best && damaged) {
    return error(Code::kCorrupt, Subject::kPool, "both superblock copies on " + name + " are damaged");
  }
  return best;
}

Result<void> write_superblock(BlockDevice& device, Superblock& superblock) {
  ++superblock.sequence;
  for (uint64_t offset : kSuperblockOffsets) {
    AlignedBuffer block(kSuperblockBytes);
    const Bytes encoded = encode_superblock(superblock, offset);
    if (encoded.size() != kSuperblockBytes) {
      return error(Code::kInternal, Subject::kPool, "the superblock outgrew its place");
    }
    std::copy(encoded.begin(), encoded.end(), block.data());
    const uint64_t incarnation = device.incarnation();
    HF_CHECK(device.write(offset, block.span()));
    HF_CHECK(device.flush());
    if (device.incarnation() != incarnation) {
      return error(Code::kUnavailable, Subject::kDevice, "the device's session ended while a superblock was written");
    }
  }
  return {};
}

}  // namespace holdfast
