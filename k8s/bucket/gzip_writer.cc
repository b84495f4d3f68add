#include "k8s/bucket/gzip_writer.h"

#include <isa-l/igzip_lib.h>

namespace holdfast::k8s {

namespace {
constexpr size_t kOutBytes = 256 << 10;
}

struct GzipWriter::State {
  isal_zstream stream;
  Bytes work = Bytes(ISAL_DEF_LVL1_LARGE);
  Bytes out = Bytes(kOutBytes);
};

GzipWriter::GzipWriter(Sink sink) : sink_(std::move(sink)), state_(std::make_unique<State>()) {
  isal_zstream& s = state_->stream;
  isal_deflate_init(&s);
  s.level = 1;
  s.level_buf = reinterpret_cast<uint8_t*>(state_->work.data());
  s.level_buf_size = static_cast<uint32_t>(state_->work.size());
  s.gzip_flag = IGZIP_GZIP;
  s.flush = NO_FLUSH;
}

GzipWriter::~GzipWriter() = default;

Result<void> GzipWriter::deflate(ByteSpan bytes, bool last) {
  isal_zstream& s = state_->stream;
  s.next_in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(bytes.data()));
  s.avail_in = static_cast<uint32_t>(bytes.size());
  s.end_of_stream = last ? 1 : 0;
  do {
    s.next_out = reinterpret_cast<uint8_t*>(state_->out.data());
    s.avail_out = static_cast<uint32_t>(state_->out.size());
    if (isal_deflate(&s) != COMP_OK) return error(Code::kInternal, "compression failed");
    const size_t made = state_->out.size() - s.avail_out;
    if (made > 0) HF_CHECK(sink_(ByteSpan(state_->out).first(made)));
  } while (s.avail_in > 0 || s.avail_out == 0 || (last && s.internal_state.state != ZSTATE_END));
  return {};
}

std::string gzip(std::string_view text) {
  std::string out;
  GzipWriter writer([&](ByteSpan bytes) -> Result<void> {
    out += as_text(bytes);
    return {};
  });
  // The sink does not fail.
  (void)writer.append(text);
  (void)writer.finish();
  return out;
}

}  // namespace holdfast::k8s
