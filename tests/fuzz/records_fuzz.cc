// On-disk bytes: superblocks, segment headers, records and their facts.
#include "storage/index/facts.h"
#include "storage/log/record.h"
#include "storage/log/segment_header.h"
#include "storage/log/superblock.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ByteSpan bytes(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  Layout layout;
  layout.segment_bytes = 1 << 20;
  layout.segment_count = 64;
  switch (data[0] % 4) {
    case 0: {
      // A checksum that fits, so that the parser behind it is reached.
      auto fact = decode_fact(data[1], bytes);
      if (fact && encode_fact(*fact).size() != bytes.size()) __builtin_trap();
      break;
    }
    case 1: {
      Bytes block(kSuperblockBytes);
      std::copy_n(bytes.begin(), std::min(bytes.size(), block.size()), block.begin());
      (void)decode_superblock(block, 0);
      std::byte context[8] = {};
      store_le(block.data() + 8, crc32c(ByteSpan(block).subspan(12), crc32c(context)));
      (void)decode_superblock(block, 0);
      break;
    }
    case 2: {
      Bytes block(layout.block_bytes);
      std::copy_n(bytes.begin(), std::min(bytes.size(), block.size()), block.begin());
      (void)decode_segment_header(layout, data[1], block);
      break;
    }
    default: {
      const SegmentContext context{&layout, 1, make_generation(1, 1), std::nullopt};
      (void)open_record(context, 4096, bytes, nullptr);
      if (const auto header = peek_record(bytes)) (void)check_record(context, 4096, *header, bytes);
    }
  }
  return 0;
}
