// The chunked transfer coding of a request's body, taken apart as it comes. Source: RFC 9112, section 7.1.
#pragma once

#include <string>

#include "storage/base/bytes.h"

namespace holdfast {

// Not thread-safe; bounded memory whatever comes.
class ChunkedDecoder {
 public:
  struct Step {
    size_t taken = 0;  // of `in`
    size_t made = 0;   // in `out`
  };
  // Takes as much as fits. kInvalidArgument when the framing is broken. Chunk extensions and trailers are read over.
  Result<Step> decode(ByteSpan in, MutableByteSpan out);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer, kDone };
  Result<void> take_line();

  State state_ = State::kSize;
  std::string line_;
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace holdfast
