// AWS Signature Version 4, the parts that signer and checker share.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

struct SigningScope {
  std::string date;  // YYYYMMDD
  std::string region;
  std::string service = "s3";
  std::string text() const { return date + "/" + region + "/" + service + "/aws4_request"; }
};

// Each thread remembers the latest: a key serves for a day.
std::string signing_key(std::string_view secret, const SigningScope& scope);

struct CanonicalRequest {
  std::string method;
  std::string path;  // decoded
  std::vector<std::pair<std::string, std::string>> query;    // decoded, in any order, without the signature
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names, sorted
  std::string payload_hash;
};

// "host;x-amz-date"
std::string signed_header_names(const CanonicalRequest& request);
std::string canonical_text(const CanonicalRequest& request);
// Hexadecimal signature of the request at `timestamp` (YYYYMMDDThhmmssZ).
std::string request_signature(const CanonicalRequest& request, std::string_view timestamp, const SigningScope& scope,
                              std::string_view key);

}  // namespace holdfast
