#include "s3gw/auth/sigv4_check.h"

#include <algorithm>

#include "s3gw/auth/sigv4_claim.h"
#include "storage/base/bytes.h"
#include "storage/base/digest.h"
#include "storage/base/text.h"

namespace holdfast::s3 {

namespace {

S3Result<Payload> payload_of(const std::string& hash) {
  if (hash == "UNSIGNED-PAYLOAD") return Payload::kUnsigned;
  if (hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return Payload::kSignedChunks;
  if (hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") return Payload::kSignedChunksTrailer;
  if (hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return Payload::kUnsignedChunksTrailer;
  if (hash.size() == 64 && from_hex(hash)) return Payload::kHashed;
  return bad_argument("x-amz-content-sha256", hash,
                      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
}

// The headers that were signed; errors when one is missing, or when one that must be signed is not.
S3Result<std::vector<std::pair<std::string, std::string>>> collect_headers(const HttpRequest& request,
                                                                           const std::string& names) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (std::string_view name : split_text(names, ';')) {
    std::string joined;
    bool found = false;
    for (const auto& [n, v] : request.headers.all()) {
      if (n != name) continue;
      joined += (found ? "," : "") + v;
      found = true;
    }
    headers.emplace_back(std::string(name), std::move(joined));
  }
  std::sort(headers.begin(), headers.end());
  std::vector<std::string> unsigned_names;
  for (const auto& [name, value] : request.headers.all()) {
    const bool must = name == "host" || name.starts_with("x-amz-");
    const bool is = std::any_of(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
    if (must && !is) unsigned_names.push_back(name);
  }
  if (unsigned_names.empty()) return headers;
  std::sort(unsigned_names.begin(), unsigned_names.end());
  std::string joined;
  for (const std::string& name : unsigned_names) joined += (joined.empty() ? "" : ", ") + name;
  return s3_fail_with({{"HeadersNotSigned", joined}}, "AccessDenied", "There were headers present in the request which were not signed");
}

}  // namespace

std::unexpected<S3Error> payload_mismatch(const std::string& signed_sha256, const std::string& computed_sha256) {
  return s3_fail_with({{"ClientComputedContentSHA256", signed_sha256}, {"S3ComputedContentSHA256", computed_sha256}},
                      "XAmzContentSHA256Mismatch");
}

S3Result<Authenticated> check_signature(const HttpRequest& request, const Query& query, const UserStore& users,
                                        const std::string& region, int64_t now_ms) {
  const bool header = request.headers.has("authorization");
  const bool presigned = query.has("X-Amz-Signature") || query.has("X-Amz-Algorithm");
  if (!header && !presigned) {
    if (query.has("AWSAccessKeyId")) {
      return unsupported_mechanism();
    }
    return s3_fail("AccessDenied");
  }
  if (header && presigned) {
    return bad_argument("Authorization", request.headers.get("authorization"), "Only one auth mechanism allowed: header or query");
  }
  auto claim = header ? claim_from_header(request, region) : claim_from_query(request, query, region, now_ms);
  if (!claim) return std::unexpected(claim.error());
  if (header && std::abs(claim->signed_at_ms - now_ms) > kMaxSkewMs) return s3_fail("RequestTimeTooSkewed");
  Authenticated result;
  HF_TRY(result.payload, payload_of(claim->payload_hash));
  const auto user = users.user(claim->access_key);
  if (!user || !user->enabled) return s3_fail_with({{"AWSAccessKeyId", claim->access_key}}, "InvalidAccessKeyId");
  // There are no temporary credentials here, so no token belongs to a user.
  if (query.has("X-Amz-Security-Token") || request.headers.has("x-amz-security-token")) return s3_fail("InvalidToken");

  CanonicalRequest canonical;
  canonical.method = request.method;
  auto path = percent_decode(request.path());
  if (!path) return s3_fail("InvalidURI");
  canonical.path = std::move(*path);
  for (const auto& [name, value] : query.all()) {
    if (name != "X-Amz-Signature") canonical.query.emplace_back(name, value);
  }
  HF_TRY(canonical.headers, collect_headers(request, claim->signed_headers));
  canonical.payload_hash = claim->payload_hash;
  result.signing_key = signing_key(user->secret, claim->scope);
  const std::string expected = request_signature(canonical, claim->timestamp, claim->scope, result.signing_key);
  if (!equal_constant_time(expected, claim->signature)) return s3_fail("SignatureDoesNotMatch");
  if (result.payload == Payload::kHashed) result.payload_sha256 = claim->payload_hash;
  result.user = *user;
  result.timestamp = claim->timestamp;
  result.scope = claim->scope.text();
  result.seed_signature = claim->signature;
  return result;
}

}  // namespace holdfast::s3
