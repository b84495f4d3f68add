// Who sent this request, and is it unchanged: Signature V4 in headers and in presigned URLs.
#pragma once

#include "s3gw/protocol/operation.h"
#include "storage/bucket_store.h"

namespace holdfast::s3 {

// How the body is protected.
enum class Payload {
  kUnsigned,               // UNSIGNED-PAYLOAD, and presigned URLs
  kHashed,                 // x-amz-content-sha256 is the body's hash
  kSignedChunks,           // STREAMING-AWS4-HMAC-SHA256-PAYLOAD
  kSignedChunksTrailer,    // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
  kUnsignedChunksTrailer,  // STREAMING-UNSIGNED-PAYLOAD-TRAILER
};

struct Authenticated {
  User user;
  Payload payload = Payload::kUnsigned;
  std::string payload_sha256;  // hexadecimal, with kHashed
  // For chunk signatures.
  std::string signing_key;
  std::string timestamp;
  std::string scope;
  std::string seed_signature;
};

// The body is not the one whose hash was signed.
std::unexpected<S3Error> payload_mismatch(const std::string& signed_sha256, const std::string& computed_sha256);

// Checks headers or query against the users' secrets at `now_ms`. Pure but for `users`.
S3Result<Authenticated> check_signature(const HttpRequest& request, const Query& query, const UserStore& users,
                                        const std::string& region, int64_t now_ms);

}  // namespace holdfast::s3
