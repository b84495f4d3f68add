// Decodes aws-chunked bodies, checking every chunk signature and the trailer's.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and .../sigv4-streaming-trailers.html
#pragma once

#include <functional>

#include "s3gw/auth/sigv4_check.h"
#include "storage/base/digest.h"

namespace holdfast::s3 {

// A state machine fed with whatever pieces arrive. Bytes are given out before their chunk's signature can be
// checked: nothing may be kept of them unless finish() succeeds. Not thread-safe.
class ChunkedBody {
 public:
  using Sink = std::function<S3Result<void>(ByteSpan)>;

  explicit ChunkedBody(const Authenticated& auth);

  S3Result<void> feed(ByteSpan bytes, const Sink& sink);
  // After the last byte: was the body complete, and the trailer right?
  S3Result<void> finish() const;

  // Trailing headers, lower-case names.
  const std::vector<std::pair<std::string, std::string>>& trailers() const { return trailers_; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer, kDone };
  S3Result<void> take_line(std::string line);
  S3Result<void> begin_chunk(std::string_view line);
  S3Result<void> end_chunk();
  S3Result<void> take_trailer(const std::string& line);
  std::string chain(std::string_view algorithm, std::string_view hash) const;

  const bool signed_;
  const bool has_trailer_;
  const std::string key_, timestamp_, scope_;
  std::string previous_signature_;
  State state_ = State::kSize;
  std::string line_;
  uint64_t chunk_left_ = 0;
  bool last_chunk_ = false;
  std::string chunk_signature_;
  Digest chunk_digest_{DigestKind::kSha256};
  std::vector<std::pair<std::string, std::string>> trailers_;
  std::string trailer_text_;  // as it is signed
  bool trailer_signed_ = false;
};

}  // namespace holdfast::s3
