#include "storage/net/transfer_coding.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace holdfast {

namespace {
constexpr size_t kMaxLineBytes = 4096;
constexpr size_t kMaxTrailerBytes = 16 << 10;
Status broken(const char* what) { return Status(Code::kInvalidArgument, std::string("a chunked body: ") + what); }
}  // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(ByteSpan in, MutableByteSpan out) {
  Step step;
  while (step.taken < in.size() && !done()) {
    const ByteSpan rest = in.subspan(step.taken);
    if (state_ == State::kData) {
      const size_t n = std::min<uint64_t>({rest.size(), out.size() - step.made, left_});
      if (n == 0) return step;
      std::memcpy(out.data() + step.made, rest.data(), n);
      step.taken += n;
      step.made += n;
      left_ -= n;
      if (left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::string_view text = as_text(rest);
    const size_t end = text.find('\n');
    const size_t n = end == std::string_view::npos ? text.size() : end + 1;
    if (line_.size() + n > kMaxLineBytes) return error(broken("a line is too long"));
    line_ += text.substr(0, n);
    step.taken += n;
    if (end == std::string_view::npos) continue;
    if (!line_.ends_with("\r\n")) return error(broken("a line does not end in CR LF"));
    line_.resize(line_.size() - 2);
    HF_CHECK(take_line());
    line_.clear();
  }
  return step;
}

Result<void> ChunkedDecoder::take_line() {
  if (state_ == State::kDataEnd) {
    if (!line_.empty()) return error(broken("a chunk is longer than its size says"));
    state_ = State::kSize;
    return {};
  }
  if (state_ == State::kTrailer) {
    trailer_bytes_ += line_.size();
    if (trailer_bytes_ > kMaxTrailerBytes) return error(broken("its trailers are too long"));
    if (line_.empty()) state_ = State::kDone;
    return {};
  }
  const std::string_view size = std::string_view(line_).substr(0, line_.find_first_of("; \t"));
  const auto parsed = std::from_chars(size.data(), size.data() + size.size(), left_, 16);
  const bool number = !size.empty() && parsed.ec == std::errc() && parsed.ptr == size.data() + size.size();
  if (!number) return error(broken("a size is no number"));
  state_ = left_ == 0 ? State::kTrailer : State::kData;
  return {};
}

}  // namespace holdfast
