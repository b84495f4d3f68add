#include "k8s/bucket/gunzip_stream.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <span>

namespace holdfast::k8s {

namespace {
constexpr size_t kPackedBytes = 256 << 10;
constexpr size_t kStepBytes = 1 << 20;
}

GunzipStream::GunzipStream(Source source) : source_(std::move(source)), state_(std::make_unique<inflate_state>()), packed_(kPackedBytes) {
  isal_inflate_init(state_.get());
  state_->crc_flag = ISAL_GZIP;
}

GunzipStream::~GunzipStream() = default;

Result<void> GunzipStream::refill() {
  if (state_->avail_in > 0 || source_ended_) return {};
  HF_TRY(const size_t n, source_(packed_));
  source_ended_ = n == 0;
  state_->next_in = reinterpret_cast<uint8_t*>(packed_.data());
  state_->avail_in = static_cast<uint32_t>(n);
  return {};
}

Result<void> GunzipStream::next_member() {
  HF_CHECK(refill());
  if (state_->avail_in == 0) {
    ended_ = true;
    return {};
  }
  isal_inflate_reset(state_.get());
  state_->crc_flag = ISAL_GZIP;
  return {};
}

Result<size_t> GunzipStream::read(MutableByteSpan out) {
  while (!ended_ && !out.empty()) {
    HF_CHECK(refill());
    state_->next_out = reinterpret_cast<uint8_t*>(out.data());
    state_->avail_out = static_cast<uint32_t>(out.size());
    const int result = isal_inflate(state_.get());
    const size_t n = out.size() - state_->avail_out;
    if (result != ISAL_DECOMP_OK) return error(Code::kCorrupt, "it is not a gzip file, or it is damaged");
    if (state_->block_state == ISAL_BLOCK_FINISH) {
      HF_CHECK(next_member());
    } else if (n == 0 && state_->avail_in == 0 && source_ended_) {
      return error(Code::kCorrupt, "it is cut off");
    }
    if (n > 0) return n;
  }
  return 0;
}

Result<std::string> gunzip(std::string_view packed, uint64_t max_bytes) {
  GunzipStream stream([&packed](MutableByteSpan out) -> Result<size_t> {
    const size_t n = packed.copy(reinterpret_cast<char*>(out.data()), out.size());
    packed.remove_prefix(n);
    return n;
  });
  std::string text;
  while (text.size() < max_bytes) {
    const size_t before = text.size();
    text.resize(before + std::min<uint64_t>(kStepBytes, max_bytes - before));
    HF_TRY(const size_t n, stream.read(std::as_writable_bytes(std::span(text).subspan(before))));
    text.resize(before + n);
    if (n == 0) break;
  }
  return text;
}

}  // namespace holdfast::k8s
