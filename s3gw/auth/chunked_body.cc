#include "s3gw/auth/chunked_body.h"

#include <algorithm>
#include <charconv>

#include "storage/base/digest.h"
#include "storage/base/text.h"

namespace holdfast::s3 {

namespace {
constexpr size_t kMaxLineBytes = 4096;
constexpr size_t kMaxTrailers = 16;
constexpr uint64_t kMaxChunkBytes = 5ULL << 30;

std::unexpected<S3Error> broken_framing() { return s3_fail("IncompleteBody", "The request body terminated unexpectedly"); }
}  // namespace

ChunkedBody::ChunkedBody(const Authenticated& auth)
    : signed_(auth.payload != Payload::kUnsignedChunksTrailer),
      has_trailer_(auth.payload != Payload::kSignedChunks),
      key_(auth.signing_key),
      timestamp_(auth.timestamp),
      scope_(auth.scope),
      previous_signature_(auth.seed_signature) {}

S3Result<void> ChunkedBody::feed(ByteSpan bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (state_ == State::kDone) return broken_framing();
    if (state_ == State::kData) {
      const size_t n = std::min<uint64_t>(chunk_left_, bytes.size());
      if (signed_) chunk_digest_.update(bytes.first(n));
      HF_CHECK(sink(bytes.first(n)));
      bytes = bytes.subspan(n);
      chunk_left_ -= n;
      if (chunk_left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::string_view text = as_text(bytes);
    const size_t end = text.find('\n');
    const size_t n = end == std::string_view::npos ? text.size() : end + 1;
    line_ += text.substr(0, n);
    bytes = bytes.subspan(n);
    if (line_.size() > kMaxLineBytes) return broken_framing();
    if (end == std::string_view::npos) return {};
    std::string line = std::move(line_);
    line_.clear();
    line.pop_back();
    if (line.empty() || line.back() != '\r') {
      // Trailers of some clients end in a bare line feed.
      if (state_ != State::kTrailer) return broken_framing();
    } else {
      line.pop_back();
    }
    HF_CHECK(take_line(std::move(line)));
  }
  return {};
}

S3Result<void> ChunkedBody::take_line(std::string line) {
  switch (state_) {
    case State::kSize: return begin_chunk(line);
    case State::kDataEnd:
      if (!line.empty()) return broken_framing();
      return end_chunk();
    case State::kTrailer: return take_trailer(line);
    case State::kData:
    case State::kDone: break;
  }
  return broken_framing();
}

S3Result<void> ChunkedBody::begin_chunk(std::string_view line) {
  const size_t semicolon = line.find(';');
  const std::string_view size = line.substr(0, semicolon);
  const auto parsed = std::from_chars(size.data(), size.data() + size.size(), chunk_left_, 16);
  const bool number = !size.empty() && parsed.ec == std::errc() && parsed.ptr == size.data() + size.size();
  if (!number || chunk_left_ > kMaxChunkBytes) return broken_framing();
  chunk_signature_.clear();
  if (signed_) {
    constexpr std::string_view kName = "chunk-signature=";
    const std::string_view extension = semicolon == std::string_view::npos ? "" : line.substr(semicolon + 1);
    if (!extension.starts_with(kName)) return broken_framing();
    chunk_signature_ = extension.substr(kName.size());
  }
  last_chunk_ = chunk_left_ == 0;
  if (!last_chunk_) {
    state_ = State::kData;
    return {};
  }
  HF_CHECK(end_chunk());
  state_ = State::kTrailer;  // without trailers: the empty line that ends the body
  return {};
}

std::string ChunkedBody::chain(std::string_view algorithm, std::string_view hash) const {
  static const std::string kEmpty = sha256_hex("");
  std::string text = std::string(algorithm) + "\n" + timestamp_ + "\n" + scope_ + "\n" + previous_signature_ + "\n";
  if (algorithm.ends_with("PAYLOAD")) text += kEmpty + "\n";
  text += hash;
  return hex(as_bytes(hmac_sha256(key_, text)));
}

S3Result<void> ChunkedBody::end_chunk() {
  state_ = State::kSize;
  if (!signed_) return {};
  const std::string hash = hex(as_bytes(chunk_digest_.finish()));
  const std::string expected = chain("AWS4-HMAC-SHA256-PAYLOAD", hash);
  if (!equal_constant_time(expected, chunk_signature_)) return s3_fail("SignatureDoesNotMatch");
  previous_signature_ = expected;
  return {};
}

S3Result<void> ChunkedBody::take_trailer(const std::string& line) {
  if (line.empty()) {
    state_ = State::kDone;
    return {};
  }
  const size_t colon = line.find(':');
  if (!has_trailer_ || colon == std::string::npos || colon == 0 || trailers_.size() >= kMaxTrailers) {
    return s3_fail("MalformedTrailerError");
  }
  std::string name = lower(line.substr(0, colon));
  std::string value = line.substr(colon + 1);
  value.erase(0, value.find_first_not_of(' '));
  if (name == "x-amz-trailer-signature") {
    const std::string expected = chain("AWS4-HMAC-SHA256-TRAILER", sha256_hex(trailer_text_));
    if (!equal_constant_time(expected, value)) return s3_fail("SignatureDoesNotMatch");
    trailer_signed_ = true;
    return {};
  }
  trailer_text_ += name + ":" + value + "\n";
  trailers_.emplace_back(std::move(name), std::move(value));
  return {};
}

S3Result<void> ChunkedBody::finish() const {
  // The line that ends the body may be missing after the last chunk or trailer: nothing can follow anyway.
  const bool ended = state_ == State::kDone || (state_ == State::kTrailer && line_.empty());
  if (!ended) return broken_framing();
  if (signed_ && has_trailer_ && !trailer_signed_) {
    return s3_fail("SignatureDoesNotMatch", "The trailer has no signature");
  }
  return {};
}

}  // namespace holdfast::s3
