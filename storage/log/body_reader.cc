#include "storage/log/body_reader.h"

#include "storage/log/body_writer.h"

namespace holdfast {

namespace {
constexpr uint64_t kReadBlocks = (1 << 20) / kBodyBlockBytes;  // device reads are this large
constexpr uint64_t kLongReadBytes = 512 << 10;                 // for shorter ones no more is brought in than they need

uint64_t blocks_of(const ExtentRef& e) { return (e.data_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes; }
uint64_t block_size(const ExtentRef& e, uint64_t block) {
  return std::min<uint64_t>(kBodyBlockBytes, e.data_bytes - block * kBodyBlockBytes);
}
}  // namespace

BodyReader::BodyReader(const Volume& volume, BodyRef ref) : volume_(volume), ref_(std::move(ref)) {
  uint64_t at = 0;
  for (const ExtentRef& e : ref_.extents) {
    starts_.push_back(at);
    at += e.data_bytes;
  }
}

Status BodyReader::damaged(size_t extent, std::string_view what) const {
  const ExtentRef& e = ref_.extents[extent];
  return Status(Code::kCorrupt, Subject::kBody,
                "body " + hex(ref_.id) + ", segment " + std::to_string(e.segment) + " at " +
                    std::to_string(e.offset_bytes) + ": " + std::string(what));
}

BodyReader::TablePlace BodyReader::table_place(size_t extent) const {
  const ExtentRef& e = ref_.extents[extent];
  const uint64_t table_bytes = blocks_of(e) * (4 + (ref_.wrapped_key.empty() ? 0 : kTagBytes));
  const uint64_t begin = e.offset_bytes + e.data_bytes;
  return {begin / 512 * 512, align_up(begin + table_bytes, 512), table_bytes};
}

Result<void> BodyReader::load_table(size_t extent) {
  if (table_of_ == extent) return {};
  const TablePlace place = table_place(extent);
  AlignedBuffer raw(place.to_bytes - place.from_bytes);
  HF_CHECK(read_segment(volume_, ref_.extents[extent].segment, place.from_bytes, raw.span()));
  return take_table(extent, place, raw.span());
}

Result<bool> BodyReader::load_table_cached(size_t extent) {
  if (table_of_ == extent) return true;
  const TablePlace place = table_place(extent);
  Bytes raw(place.to_bytes - place.from_bytes);
  HF_TRY(const bool is_here, read_segment_cached(volume_, ref_.extents[extent].segment, place.from_bytes, raw));
  if (is_here) HF_CHECK(take_table(extent, place, raw));
  return is_here;
}

Result<void> BodyReader::take_table(size_t extent, const TablePlace& place, ByteSpan raw) {
  const ExtentRef& e = ref_.extents[extent];
  const ByteSpan table = raw.subspan(e.offset_bytes + e.data_bytes - place.from_bytes, place.table_bytes);
  if (crc32c(table, volume_.layout.checksum_seed(e.segment, e.generation, e.offset_bytes)) != e.table_checksum) {
    return error(damaged(extent, "the block table does not match its record"));
  }
  table_.assign(table.begin(), table.end());
  table_of_ = extent;
  return {};
}

void BodyReader::fill_cache(size_t extent, uint64_t first, uint64_t length) const {
  if (length < kLongReadBytes) return;
  const ExtentRef& e = ref_.extents[extent];
  if (table_of_ != extent) {
    const TablePlace place = table_place(extent);
    fill_segment_cache(volume_, e.segment, place.from_bytes, place.to_bytes - place.from_bytes);
  }
  fill_segment_cache(volume_, e.segment, e.offset_bytes + first * kBodyBlockBytes, length);
}

Result<void> BodyReader::load_blocks(size_t extent, uint64_t first, uint64_t last) {
  const ExtentRef& e = ref_.extents[extent];
  const uint64_t from = first * kBodyBlockBytes;
  const uint64_t to = std::min<uint64_t>(e.data_bytes, (last + 1) * kBodyBlockBytes);
  const uint64_t want = align_up(to - from, 512);
  fill_cache(extent, first, want);
  HF_CHECK(load_table(extent));
  buffer_extent_ = SIZE_MAX;
  if (buffer_.size() < want) buffer_ = AlignedBuffer(want);
  HF_CHECK(read_segment(volume_, e.segment, e.offset_bytes + from, buffer_.span().first(want)));
  for (uint64_t b = first; b <= last; ++b) HF_CHECK(check_block(extent, b, buffer_.span().subspan((b - first) * kBodyBlockBytes, block_size(e, b))));
  buffer_extent_ = extent;
  buffer_first_ = first;
  buffer_last_ = last;
  return {};
}

Result<void> BodyReader::check_block(size_t extent, uint64_t block, ByteSpan stored) const {
  const size_t entry = table_.size() / blocks_of(ref_.extents[extent]);
  if (crc32c(stored) == load_le<uint32_t>(table_.data() + block * entry)) return {};
  return error(damaged(extent, "block " + std::to_string(block) + " fails its checksum"));
}

Result<void> BodyReader::open_block(size_t extent, uint64_t block, ByteSpan stored, MutableByteSpan out) {
  if (!key_) {
    if (!volume_.pool_key) return error(damaged(extent, "encrypted, but the pool has no key"));
    HF_TRY(key_, unwrap_key(*volume_.pool_key, ref_.wrapped_key, as_text(ref_.id)));
  }
  const uint64_t number = starts_[extent] / kBodyBlockBytes + block;
  const uint64_t blocks = (ref_.size_bytes + kBodyBlockBytes - 1) / kBodyBlockBytes;
  const auto aad = block_aad(ref_.id, number, number + 1 == blocks);
  const std::byte* tag = table_.data() + block * (4 + kTagBytes) + 4;
  if (aead_open(*key_, counter_nonce(number), aad, stored, std::span<const std::byte, kTagBytes>(tag, kTagBytes), out)) return {};
  return error(damaged(extent, "block " + std::to_string(block) + " does not open with its key"));
}

// Where it is encrypted its tag is the check. Its checksum says what is wrong with one that does not open, read once more.
Result<void> BodyReader::take_block(size_t extent, uint64_t block, MutableByteSpan stored) {
  if (ref_.wrapped_key.empty()) return check_block(extent, block, stored);
  if (open_block(extent, block, stored, stored)) return {};
  HF_CHECK(load_blocks(extent, block, block));
  return open_block(extent, block, buffer_.span().first(stored.size()), stored);
}

Result<void> BodyReader::give(size_t extent, uint64_t block, uint64_t from, MutableByteSpan out) {
  const ExtentRef& e = ref_.extents[extent];
  const ByteSpan stored = buffer_.span().subspan((block - buffer_first_) * kBodyBlockBytes, block_size(e, block));
  const bool whole = from == 0 && out.size() == stored.size();
  Bytes opened;
  ByteSpan plain = stored;
  if (!ref_.wrapped_key.empty()) {
    if (!whole) opened.resize(stored.size());
    const MutableByteSpan into = whole ? out : MutableByteSpan(opened);
    HF_CHECK(open_block(extent, block, stored, into));
    plain = into;
  }
  keep(extent, block, plain);
  if (plain.data() != out.data()) std::memcpy(out.data(), plain.data() + from, out.size());
  return {};
}

Result<void> BodyReader::read_blocks(size_t extent, uint64_t first, MutableByteSpan out) {
  const ExtentRef& e = ref_.extents[extent];
  fill_cache(extent, first, out.size());
  HF_CHECK(load_table(extent));
  HF_CHECK(read_segment(volume_, e.segment, e.offset_bytes + first * kBodyBlockBytes, out));
  for (uint64_t at = 0; at < out.size(); at += kBodyBlockBytes) {
    const uint64_t block = first + at / kBodyBlockBytes;
    MutableByteSpan stored = out.subspan(at, kBodyBlockBytes);
    HF_CHECK(take_block(extent, block, stored));
    keep(extent, block, stored);
  }
  return {};
}

// The one that holds this byte, which is not before that of number `from`.
size_t BodyReader::extent_of(uint64_t offset, size_t from) const {
  while (from + 1 < starts_.size() && starts_[from + 1] <= offset) ++from;
  return from;
}

Result<bool> BodyReader::read_cached(uint64_t offset, MutableByteSpan out) {
  size_t extent = 0;
  while (!out.empty()) {
    extent = extent_of(offset, extent);
    if (extent >= starts_.size()) return false;
    const ExtentRef& e = ref_.extents[extent];
    const uint64_t inside = offset - starts_[extent], block = inside / kBodyBlockBytes, from = inside % kBodyBlockBytes;
    if (inside >= e.data_bytes) return false;
    MutableByteSpan part = out.first(std::min<uint64_t>(out.size(), block_size(e, block) - from));
    if (volume_.cache == nullptr || !volume_.cache->get(cache_place(extent, block), from, part)) {
      HF_TRY(const bool is_here, read_block_cached(extent, block, part));
      if (!is_here) return false;
    }
    offset += part.size();
    out = out.subspan(part.size());
  }
  return true;
}

// What the kernel has. The table comes second: to ask for so short a range brings in its page. One block at a time, so that it is still in the processor's cache when it is checked and opened.
Result<bool> BodyReader::read_block_cached(size_t extent, uint64_t block, MutableByteSpan out) {
  const ExtentRef& e = ref_.extents[extent];
  if (!volume_.device->info().has_page_cache || out.size() != block_size(e, block)) return false;
  HF_TRY(const bool is_here, read_segment_cached(volume_, e.segment, e.offset_bytes + block * kBodyBlockBytes, out));
  if (!is_here) return false;
  HF_TRY(const bool has_table, load_table_cached(extent));
  if (!has_table) return false;
  HF_CHECK(take_block(extent, block, out));
  return true;
}

CachePlace BodyReader::cache_place(size_t extent, uint64_t block) const {
  const ExtentRef& e = ref_.extents[extent];
  return {e.segment, static_cast<uint32_t>(e.offset_bytes + block * kBodyBlockBytes), e.generation};
}

void BodyReader::keep(size_t extent, uint64_t block, ByteSpan plain) {
  if (volume_.cache != nullptr && volume_.cache->is_worth(ref_.size_bytes)) volume_.cache->put(cache_place(extent, block), plain);
}

Result<void> BodyReader::read(uint64_t offset, MutableByteSpan out) {
  if (offset + out.size() > ref_.size_bytes) return error(Code::kInternal, Subject::kBody, "read past a body's end");
  size_t extent = 0;
  while (!out.empty()) {
    extent = extent_of(offset, extent);
    if (extent >= starts_.size()) return error(Code::kCorrupt, Subject::kBody, "a body has fewer bytes than its record says");
    const ExtentRef& e = ref_.extents[extent];
    const uint64_t inside = offset - starts_[extent];
    if (inside >= e.data_bytes) return error(Code::kCorrupt, Subject::kBody, "a body has fewer bytes than its record says");
    const uint64_t block = inside / kBodyBlockBytes;
    const bool is_held = buffer_extent_ == extent && block >= buffer_first_ && block <= buffer_last_;
    const uint64_t whole = std::min<uint64_t>({out.size(), e.data_bytes - inside, kReadBlocks * kBodyBlockBytes}) / kBodyBlockBytes * kBodyBlockBytes;
    if (!is_held && whole > 0 && inside % kBodyBlockBytes == 0) {
      HF_CHECK(read_blocks(extent, block, out.first(whole)));
      offset += whole;
      out = out.subspan(whole);
      continue;
    }
    if (!is_held) {
      const uint64_t needed_last = (std::min<uint64_t>(e.data_bytes, inside + out.size()) - 1) / kBodyBlockBytes;
      HF_CHECK(load_blocks(extent, block, std::min(needed_last, block + kReadBlocks - 1)));
    }
    const uint64_t from = inside - block * kBodyBlockBytes;
    const uint64_t n = std::min<uint64_t>(out.size(), block_size(e, block) - from);
    HF_CHECK(give(extent, block, from, out.first(n)));
    offset += n;
    out = out.subspan(n);
  }
  return {};
}

Result<void> BodyReader::verify() {
  uint64_t total = 0;
  for (size_t extent = 0; extent < ref_.extents.size(); ++extent) {
    const uint64_t blocks = blocks_of(ref_.extents[extent]);
    for (uint64_t first = 0; first < blocks; first += kReadBlocks) {
      HF_CHECK(load_blocks(extent, first, std::min(blocks, first + kReadBlocks) - 1));
    }
    total += ref_.extents[extent].data_bytes;
  }
  if (total != ref_.size_bytes) return error(Code::kCorrupt, Subject::kBody, "a body has fewer bytes than its record says");
  return {};
}

}  // namespace holdfast
