#include "k8s/bucket/gzip_reader.h"

#include <isa-l/igzip_lib.h>

#include <memory>

namespace holdfast::k8s {

namespace {
constexpr size_t kStepBytes = 1 << 20;
}

Result<std::string> gunzip(std::string_view packed, uint64_t max_bytes) {
  const auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_GZIP;
  state->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(packed.data()));
  state->avail_in = static_cast<uint32_t>(packed.size());
  std::string out;
  for (;;) {
    const size_t before = out.size();
    const size_t room = std::min<uint64_t>(kStepBytes, max_bytes - before);
    if (room == 0) return out;
    out.resize(before + room);
    state->next_out = reinterpret_cast<uint8_t*>(out.data() + before);
    state->avail_out = static_cast<uint32_t>(room);
    const int result = isal_inflate(state.get());
    out.resize(before + room - state->avail_out);
    if (result != ISAL_DECOMP_OK) return error(Code::kCorrupt, "not a gzip text, or damaged");
    if (state->block_state == ISAL_BLOCK_FINISH) return out;
    if (state->avail_in == 0 && state->avail_out > 0) return error(Code::kCorrupt, "the gzip text is cut off");
  }
}

}  // namespace holdfast::k8s
