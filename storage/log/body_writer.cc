#include "storage/log/body_writer.h"

namespace holdfast {

namespace {
constexpr size_t kWriteBytes = 1 << 20;  // device writes of a body are this large
constexpr uint32_t kTrailerMagic = 0x58454648;  // "HFEX"
}  // namespace

std::array<std::byte, 25> block_aad(const BodyId& id, uint64_t block, bool last) {
  std::array<std::byte, 25> aad;
  std::copy(id.begin(), id.end(), aad.begin());
  store_le(aad.data() + 16, block);
  aad[24] = static_cast<std::byte>(last ? 1 : 0);
  return aad;
}

Bytes encode_extent_trailer(const ExtentRef& extent, const BodyId& id, uint32_t number, uint64_t body_bytes) {
  ByteWriter trailer;
  trailer.u32(kTrailerMagic);
  trailer.u32(extent.table_checksum);
  trailer.raw(id);
  trailer.u32(number);
  trailer.u32(extent.data_bytes);
  trailer.u64(extent.generation);
  trailer.u64(body_bytes);
  return trailer.take();
}

BodyWriter::BodyWriter(const Volume& volume, BulkStream& stream, uint64_t size_bytes)
    : volume_(volume), stream_(stream), size_bytes_(size_bytes), incarnation_(volume.device->incarnation()) {
  volume_.random->fill(ref_.id);
  ref_.size_bytes = size_bytes;
  if (volume_.pool_key) {
    key_ = SecretKey::random(*volume_.random);
    ref_.wrapped_key = wrap_key(*volume_.pool_key, *key_, as_text(ref_.id), *volume_.random);
  }
  // The tail of an extent (table, trailer, padding) is gathered behind its last data.
  const uint64_t extent = std::min(size_bytes, kMaxExtentDataBytes), block = volume.layout.block_bytes;
  const uint64_t longest_tail = extent_disk_bytes(extent, key_.has_value(), volume.layout.block_bytes) - extent + block;
  buffer_ = AlignedBuffer(align_up(std::min<uint64_t>(size_bytes, kWriteBytes) + longest_tail, block));
}

BodyWriter::~BodyWriter() {
  for (uint32_t segment : held_) volume_.allocator->release(segment);
}

Result<void> BodyWriter::append(ByteSpan bytes) {
  if (written_bytes_ + bytes.size() > size_bytes_) {
    return error(Code::kInvalidArgument, Subject::kBody, "the body is longer than announced");
  }
  written_bytes_ += bytes.size();
  while (!bytes.empty()) {
    if (block_fill_ == 0 && bytes.size() >= kBodyBlockBytes) {
      HF_CHECK(take_block(bytes.first(kBodyBlockBytes)));
      bytes = bytes.subspan(kBodyBlockBytes);
      continue;
    }
    if (block_.empty()) block_.resize(std::min<uint64_t>(kBodyBlockBytes, size_bytes_));
    const size_t n = std::min(bytes.size(), kBodyBlockBytes - block_fill_);
    std::memcpy(block_.data() + block_fill_, bytes.data(), n);
    block_fill_ += n;
    bytes = bytes.subspan(n);
    if (block_fill_ == kBodyBlockBytes) {
      block_fill_ = 0;
      HF_CHECK(take_block(block_));
    }
  }
  return {};
}

Result<BodyRef> BodyWriter::finish() {
  if (written_bytes_ != size_bytes_) {
    return error(Code::kInvalidArgument, Subject::kBody,
                 "the body has " + std::to_string(written_bytes_) + " bytes, not the announced " +
                     std::to_string(size_bytes_));
  }
  if (block_fill_ > 0) {
    const size_t n = std::exchange(block_fill_, 0);
    HF_CHECK(take_block(ByteSpan(block_).first(n)));
  }
  if (extent_open_) HF_CHECK(close_extent());
  return ref_;
}

Result<void> BodyWriter::open_extent() {
  uint64_t taken = 0;
  for (const ExtentRef& e : ref_.extents) taken += e.data_bytes;
  HF_TRY(room_, stream_.take(size_bytes_ - taken));
  held_.push_back(room_.segment);
  extent_open_ = true;
  extent_data_ = 0;
  extent_written_ = 0;
  table_.clear();
  buffered_ = 0;
  return {};
}

Result<void> BodyWriter::take_block(ByteSpan plain) {
  if (!extent_open_) HF_CHECK(open_extent());
  if (buffered_ + plain.size() > kWriteBytes) HF_CHECK(write_out());
  MutableByteSpan place = buffer_.span().subspan(buffered_, plain.size());
  std::byte entry[4 + kTagBytes];
  if (key_) {
    uint64_t number = extent_data_ / kBodyBlockBytes;
    for (const ExtentRef& e : ref_.extents) number += (e.data_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes;
    const uint64_t blocks = (size_bytes_ + kBodyBlockBytes - 1) / kBodyBlockBytes;
    const auto aad = block_aad(ref_.id, number, number + 1 == blocks);
    aead_seal(*key_, counter_nonce(number), aad, plain, place, std::span<std::byte, kTagBytes>(entry + 4, kTagBytes));
  } else {
    std::memcpy(place.data(), plain.data(), plain.size());
  }
  store_le(entry, crc32c(place));
  table_.insert(table_.end(), entry, entry + 4 + (key_ ? kTagBytes : 0));
  buffered_ += plain.size();
  extent_data_ += plain.size();
  if (extent_data_ == room_.data_bytes) return close_extent();
  return {};
}

// Writes what is gathered; only whole body blocks are in the buffer, so the place stays aligned.
Result<void> BodyWriter::write_out() {
  if (buffered_ == 0) return {};
  const uint64_t at = volume_.layout.segment_offset(room_.segment) + room_.offset_bytes + extent_written_;
  HF_CHECK(volume_.device->write(at, buffer_.span().first(buffered_)));
  extent_written_ += buffered_;
  buffered_ = 0;
  return {};
}

Result<void> BodyWriter::close_extent() {
  ExtentRef e;
  e.device = volume_.layout.device_id;
  e.segment = room_.segment;
  e.generation = room_.generation;
  e.offset_bytes = room_.offset_bytes;
  e.data_bytes = room_.data_bytes;
  e.table_checksum = crc32c(table_, volume_.layout.checksum_seed(e.segment, e.generation, e.offset_bytes));

  const uint64_t disk = extent_disk_bytes(extent_data_, key_.has_value(), volume_.layout.block_bytes);
  const uint64_t rest = disk - extent_data_;
  const Bytes trailer = encode_extent_trailer(e, ref_.id, static_cast<uint32_t>(ref_.extents.size()), size_bytes_);
  std::byte* at = buffer_.data() + buffered_;
  at = std::copy(table_.begin(), table_.end(), at);
  at = std::copy(trailer.begin(), trailer.end(), at);
  std::fill(at, buffer_.data() + buffered_ + rest, std::byte{0});
  const uint64_t place = volume_.layout.segment_offset(room_.segment) + room_.offset_bytes + extent_written_;
  HF_CHECK(volume_.device->write(place, buffer_.span().first(buffered_ + rest)));
  buffered_ = 0;
  extent_open_ = false;
  ref_.extents.push_back(e);
  return {};
}

}  // namespace holdfast
