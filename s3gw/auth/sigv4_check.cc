#include "s3gw/auth/sigv4_check.h"

#include <algorithm>
#include <charconv>

#include "s3gw/protocol/times.h"
#include "storage/base/bytes.h"
#include "storage/base/digest.h"
#include "storage/net/sigv4.h"

namespace holdfast::s3 {

namespace {

constexpr int64_t kMaxSkewMs = 15 * 60 * 1000;
constexpr int64_t kMaxExpiresS = 7 * 24 * 3600;
constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// What header and query form have in common.
struct Claim {
  std::string access_key;
  SigningScope scope;
  std::string terminator;
  std::string signed_headers;
  std::string signature;
  std::string timestamp;
  std::string payload_hash;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// "AK/20260102/us-east-1/s3/aws4_request"; an access key may contain slashes.
bool parse_credential(std::string_view text, Claim& claim) {
  auto parts = split(text, '/');
  if (parts.size() < 5) return false;
  const size_t n = parts.size();
  claim.scope = {std::string(parts[n - 4]), std::string(parts[n - 3]), std::string(parts[n - 2])};
  claim.terminator = std::string(parts[n - 1]);
  const size_t tail = parts[n - 4].size() + parts[n - 3].size() + parts[n - 2].size() + parts[n - 1].size() + 4;
  claim.access_key = std::string(text.substr(0, text.size() - tail));
  return !claim.access_key.empty();
}

S3Result<Claim> claim_from_header(const HttpRequest& request) {
  std::string_view text = request.headers.get("authorization");
  if (text.starts_with("AWS ")) {
    return s3_fail("InvalidRequest", "Signature Version 2 is not supported. Please use AWS4-HMAC-SHA256.");
  }
  if (!text.starts_with(kAlgorithm)) return s3_fail("InvalidRequest", "Unsupported authorization type");
  text.remove_prefix(kAlgorithm.size());
  Claim claim;
  bool credential = false;
  for (std::string_view item : split(text, ',')) {
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) return s3_fail("AuthorizationHeaderMalformed");
    const std::string_view name = item.substr(0, equals);
    const std::string_view value = item.substr(equals + 1);
    if (name == "Credential") credential = parse_credential(value, claim);
    if (name == "SignedHeaders") claim.signed_headers = value;
    if (name == "Signature") claim.signature = value;
  }
  if (!credential || claim.signed_headers.empty() || claim.signature.empty()) {
    return s3_fail("AuthorizationHeaderMalformed");
  }
  claim.timestamp = request.headers.get("x-amz-date");
  if (claim.timestamp.empty()) {
    const auto date = parse_http_date(request.headers.get("date"));
    if (!date) return s3_fail("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header.");
    claim.timestamp = compact_date(*date);
  }
  claim.payload_hash = request.headers.get("x-amz-content-sha256");
  if (claim.payload_hash.empty()) return s3_fail("InvalidRequest", "The x-amz-content-sha256 header is missing");
  return claim;
}

S3Result<Claim> claim_from_query(const HttpRequest& request, const Query& query, int64_t now_ms) {
  constexpr std::string_view kError = "AuthorizationQueryParametersError";
  if (query.get("X-Amz-Algorithm") != kAlgorithm) {
    return s3_fail(kError, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  Claim claim;
  if (!parse_credential(query.get("X-Amz-Credential"), claim)) return s3_fail(kError, "X-Amz-Credential is malformed");
  claim.signed_headers = query.get("X-Amz-SignedHeaders");
  claim.signature = query.get("X-Amz-Signature");
  claim.timestamp = query.get("X-Amz-Date");
  const std::string expires_text = query.get("X-Amz-Expires");
  int64_t expires_s = -1;
  const auto parsed = std::from_chars(expires_text.data(), expires_text.data() + expires_text.size(), expires_s);
  if (parsed.ec != std::errc() || parsed.ptr != expires_text.data() + expires_text.size()) {
    return s3_fail(kError, "X-Amz-Expires should be a number");
  }
  if (expires_s < 0) return s3_fail(kError, "X-Amz-Expires must be non-negative");
  if (expires_s > kMaxExpiresS) return s3_fail(kError, "X-Amz-Expires must be less than a week");
  if (claim.signed_headers.empty() || claim.signature.empty()) {
    return s3_fail(kError, "X-Amz-SignedHeaders and X-Amz-Signature are needed");
  }
  const auto signed_at = parse_compact_date(claim.timestamp);
  if (!signed_at) return s3_fail(kError, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  if (*signed_at > now_ms + kMaxSkewMs) return s3_fail("AccessDenied", "Request is not valid yet.");
  if (now_ms > *signed_at + expires_s * 1000) return s3_fail("AccessDenied", "Request has expired.");
  claim.payload_hash = request.headers.get("x-amz-content-sha256");
  if (claim.payload_hash.empty()) claim.payload_hash = "UNSIGNED-PAYLOAD";
  return claim;
}

S3Result<Payload> payload_of(const std::string& hash) {
  if (hash == "UNSIGNED-PAYLOAD") return Payload::kUnsigned;
  if (hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return Payload::kSignedChunks;
  if (hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") return Payload::kSignedChunksTrailer;
  if (hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return Payload::kUnsignedChunksTrailer;
  if (hash.size() == 64 && from_hex(hash)) return Payload::kHashed;
  return s3_fail("InvalidArgument",
                 "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- value or a valid sha256 value.");
}

// The headers that were signed; errors when one is missing, or when one that must be signed is not.
S3Result<std::vector<std::pair<std::string, std::string>>> collect_headers(const HttpRequest& request,
                                                                           const std::string& names) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (std::string_view name : split(names, ';')) {
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
  for (const auto& [name, value] : request.headers.all()) {
    const bool must = name == "host" || name.starts_with("x-amz-");
    const bool is = std::any_of(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
    if (must && !is) return s3_fail("AccessDenied", "There were headers present in the request which were not signed: " + name);
  }
  return headers;
}

S3Result<void> check_scope(const Claim& claim, const std::string& region, std::string_view error_code) {
  if (claim.terminator != "aws4_request" || claim.scope.service != "s3") {
    return s3_fail(error_code, "The credential must end in \"/s3/aws4_request\"");
  }
  if (claim.scope.region != region) {
    return s3_fail(error_code, "The region '" + claim.scope.region + "' is wrong; expecting '" + region + "'");
  }
  if (!claim.timestamp.starts_with(claim.scope.date)) {
    return s3_fail(error_code, "The credential's date is not that of the request");
  }
  return {};
}

}  // namespace

S3Result<Authenticated> check_signature(const HttpRequest& request, const Query& query, const UserStore& users,
                                        const std::string& region, int64_t now_ms) {
  const bool header = request.headers.has("authorization");
  const bool presigned = query.has("X-Amz-Signature") || query.has("X-Amz-Algorithm");
  if (!header && !presigned) {
    if (query.has("AWSAccessKeyId")) {
      return s3_fail("InvalidRequest", "Signature Version 2 is not supported. Please use AWS4-HMAC-SHA256.");
    }
    return s3_fail("AccessDenied");
  }
  if (header && presigned) {
    return s3_fail("InvalidArgument", "Only one auth mechanism allowed: header or query");
  }
  auto claim = header ? claim_from_header(request) : claim_from_query(request, query, now_ms);
  if (!claim) return std::unexpected(claim.error());
  HF_CHECK(check_scope(*claim, region, header ? "AuthorizationHeaderMalformed" : "AuthorizationQueryParametersError"));
  const auto signed_at = parse_compact_date(claim->timestamp);
  if (!signed_at) return s3_fail("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header.");
  if (header && std::abs(*signed_at - now_ms) > kMaxSkewMs) return s3_fail("RequestTimeTooSkewed");
  Authenticated result;
  HF_TRY(result.payload, payload_of(claim->payload_hash));
  const auto user = users.user(claim->access_key);
  if (!user || !user->enabled) return s3_fail("InvalidAccessKeyId");

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
