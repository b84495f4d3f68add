// aws-chunked bodies, and bodies with chunked transfer coding, in pieces of any size: what comes out must not depend on how they were cut.
#include "s3gw/auth/chunked_body.h"
#include "storage/net/transfer_coding.h"

using namespace holdfast;
using namespace holdfast::s3;

namespace {
struct Outcome {
  std::string plain;
  bool ok = false;
};

Outcome decode(Payload payload, ByteSpan bytes, size_t step) {
  Authenticated auth;
  auth.payload = payload;
  auth.signing_key = "key";
  ChunkedBody body(auth);
  Outcome out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const auto fed = body.feed(bytes.subspan(at, std::min(step, bytes.size() - at)), [&](ByteSpan plain) -> S3Result<void> {
      out.plain += as_text(plain);
      return {};
    });
    if (!fed) return {};
  }
  out.ok = body.finish().has_value();
  return out;
}

// The transfer coding; `room` bytes at a time come out.
Outcome unchunk(ByteSpan bytes, size_t step, size_t room) {
  ChunkedDecoder decoder;
  Outcome out;
  Bytes space(room);
  for (size_t at = 0; at < bytes.size() && !decoder.done();) {
    const auto done = decoder.decode(bytes.subspan(at, std::min(step, bytes.size() - at)), space);
    if (!done) return {};
    at += done->taken;
    out.plain += as_text(ByteSpan(space).first(done->made));
  }
  out.ok = decoder.done();
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ByteSpan bytes(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  if (data[0] % 4 == 3) {
    const Outcome whole = unchunk(bytes, bytes.size() + 1, bytes.size() + 1);
    const Outcome cut = unchunk(bytes, 1 + data[1] % 7, 1 + data[1] % 5);
    if (whole.ok != cut.ok || (whole.ok && whole.plain != cut.plain)) __builtin_trap();
    return 0;
  }
  constexpr Payload kKinds[] = {Payload::kSignedChunks, Payload::kSignedChunksTrailer, Payload::kUnsignedChunksTrailer};
  const Payload kind = kKinds[data[0] % 3];
  const Outcome whole = decode(kind, bytes, bytes.size() + 1);
  const Outcome cut = decode(kind, bytes, 1 + data[1] % 7);
  if (whole.ok != cut.ok || (whole.ok && whole.plain != cut.plain)) __builtin_trap();
  if (whole.ok && kind != Payload::kUnsignedChunksTrailer && !whole.plain.empty()) __builtin_trap();  // a forged signature
  return 0;
}
