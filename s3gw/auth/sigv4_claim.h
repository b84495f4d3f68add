// What a request says of its signer, before anything of it is believed.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
#pragma once

#include "s3gw/protocol/operation.h"
#include "storage/net/sigv4.h"

namespace holdfast::s3 {

// How far a signer's clock may be off.
inline constexpr int64_t kMaxSkewMs = 15 * 60 * 1000;

// What header and query form have in common.
struct Claim {
  std::string access_key;
  SigningScope scope;
  std::string signed_headers;
  std::string signature;
  std::string timestamp;
  int64_t signed_at_ms = 0;  // the same
  std::string payload_hash;
};

// Both check form and scope: AuthorizationHeaderMalformed, AuthorizationQueryParametersError, AccessDenied (a date
// outside its bounds), InvalidRequest, InvalidArgument.
S3Result<Claim> claim_from_header(const HttpRequest& request, const std::string& region);
S3Result<Claim> claim_from_query(const HttpRequest& request, const Query& query, const std::string& region, int64_t now_ms);

// InvalidRequest: a signature of a kind that is not supported.
std::unexpected<S3Error> unsupported_mechanism();

}  // namespace holdfast::s3
