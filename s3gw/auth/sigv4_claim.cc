#include "s3gw/auth/sigv4_claim.h"

#include <algorithm>
#include <charconv>

#include "storage/base/text.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

constexpr int64_t kMaxExpiresS = 7 * 24 * 3600;
constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// How the two forms begin their complaints.
struct Form {
  std::string_view error_code;
  std::string_view prefix;
};
constexpr Form kHeaderForm = {"AuthorizationHeaderMalformed", "The authorization header is malformed; "};
constexpr Form kQueryForm = {"AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter; "};

std::unexpected<S3Error> malformed(const Form& form, const std::string& what) {
  return s3_fail(form.error_code, std::string(form.prefix) + what);
}

constexpr const char* kCredentialForm =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

bool is_date(std::string_view text) {
  return text.size() == 8 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "AK/20260102/us-east-1/s3/aws4_request"; an access key may contain slashes.
S3Result<void> parse_credential(std::string_view text, const Form& form, const std::string& region, Claim& claim) {
  const auto parts = split_text(text, '/');
  const size_t n = parts.size();
  if (n < 5) return malformed(form, kCredentialForm);
  const std::string date(parts[n - 4]), where(parts[n - 3]), service(parts[n - 2]), terminal(parts[n - 1]);
  const size_t tail = date.size() + where.size() + service.size() + terminal.size() + 4;
  claim.access_key = std::string(text.substr(0, text.size() - tail));
  claim.scope = {date, where, service};
  // The access key tells nothing of how the rest is wrong: a scope of too many parts shows in its date.
  if (claim.access_key.empty() || (claim.access_key.find('/') != std::string::npos && !is_date(date))) {
    return malformed(form, kCredentialForm);
  }
  if (terminal != "aws4_request") {
    return malformed(form, "incorrect terminal \"" + terminal + "\". This endpoint uses \"aws4_request\".");
  }
  if (service != "s3") return malformed(form, "incorrect service \"" + service + "\". This endpoint belongs to \"s3\".");
  if (!is_date(date)) {
    return malformed(form, "incorrect date format \"" + date + "\". This date in the credential must be in the format \"yyyyMMdd\".");
  }
  if (where != region) {
    return s3_fail_with({{"Region", region}}, form.error_code,
                        std::string(form.prefix) + "the region \"" + where + "\" is wrong; expecting \"" + region + "\"");
  }
  return {};
}

// The three components in any order, separated by commas.
S3Result<void> parse_components(std::string_view text, const std::string& region, Claim& claim) {
  const auto items = split_text(text, ',');
  if (items.size() != 3) {
    return malformed(kHeaderForm, "the authorization header requires three components: Credential, SignedHeaders, and Signature.");
  }
  std::string_view credential;
  for (std::string_view item : items) {
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return malformed(kHeaderForm, "the authorization component \"" + std::string(item) + "\" is malformed.");
    }
    const std::string_view name = item.substr(0, equals), value = item.substr(equals + 1);
    if (name == "Credential") credential = value;
    if (name == "SignedHeaders") claim.signed_headers = value;
    if (name == "Signature") claim.signature = value;
  }
  if (credential.empty()) return malformed(kHeaderForm, "missing Credential.");
  if (claim.signed_headers.empty()) return malformed(kHeaderForm, "missing SignedHeaders.");
  if (claim.signature.empty()) return malformed(kHeaderForm, "missing Signature.");
  return parse_credential(credential, kHeaderForm, region, claim);
}

S3Result<int64_t> parse_expires(const std::string& text) {
  int64_t expires_s = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), expires_s);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return s3_fail(kQueryForm.error_code, "X-Amz-Expires should be a number");
  }
  if (expires_s < 0) return s3_fail(kQueryForm.error_code, "X-Amz-Expires must be non-negative");
  if (expires_s > kMaxExpiresS) {
    return s3_fail(kQueryForm.error_code, "X-Amz-Expires must be less than a week (in seconds); that is, the given "
                                          "X-Amz-Expires must be less than 604800 seconds");
  }
  return expires_s;
}

}  // namespace

std::unexpected<S3Error> unsupported_mechanism() {
  return s3_fail("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
}

S3Result<Claim> claim_from_header(const HttpRequest& request, const std::string& region) {
  const std::string_view text = request.headers.get("authorization");
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) {
    return bad_argument("Authorization", text, "Authorization header is invalid -- one and only one ' ' (space) required.");
  }
  const std::string_view algorithm = text.substr(0, space);
  if (algorithm == "AWS") return unsupported_mechanism();
  if (algorithm != kAlgorithm) return bad_argument("Authorization", algorithm, "Unsupported Authorization Type");
  Claim claim;
  HF_CHECK(parse_components(text.substr(space + 1), region, claim));
  claim.timestamp = request.headers.get("x-amz-date");
  if (claim.timestamp.empty()) {
    if (const auto date = parse_http_date(request.headers.get("date"))) claim.timestamp = compact_date(*date);
  }
  const auto signed_at = parse_compact_date(claim.timestamp);
  if (!signed_at) return s3_fail("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header.");
  claim.signed_at_ms = *signed_at;
  if (!claim.timestamp.starts_with(claim.scope.date)) {
    return malformed(kHeaderForm, "Invalid credential date. Date is not the same as X-Amz-Date.");
  }
  claim.payload_hash = request.headers.get("x-amz-content-sha256");
  if (claim.payload_hash.empty()) return s3_fail("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  return claim;
}

S3Result<Claim> claim_from_query(const HttpRequest& request, const Query& query, const std::string& region, int64_t now_ms) {
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"}) {
    if (!query.get(name).empty()) continue;
    return s3_fail(kQueryForm.error_code, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                                          "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
  }
  if (query.get("X-Amz-Algorithm") != kAlgorithm) {
    return s3_fail(kQueryForm.error_code, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  Claim claim;
  HF_CHECK(parse_credential(query.get("X-Amz-Credential"), kQueryForm, region, claim));
  claim.signed_headers = query.get("X-Amz-SignedHeaders");
  claim.signature = query.get("X-Amz-Signature");
  claim.timestamp = query.get("X-Amz-Date");
  HF_TRY(const int64_t expires_s, parse_expires(query.get("X-Amz-Expires")));
  const auto signed_at = parse_compact_date(claim.timestamp);
  if (!signed_at) return s3_fail(kQueryForm.error_code, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  if (!claim.timestamp.starts_with(claim.scope.date)) {
    return s3_fail(kQueryForm.error_code, "Invalid credential date \"" + claim.scope.date + "\". This date is not the same as X-Amz-Date: \"" +
                                              claim.timestamp.substr(0, 8) + "\".");
  }
  claim.signed_at_ms = *signed_at;
  if (*signed_at > now_ms + kMaxSkewMs) return s3_fail("AccessDenied", "Request is not valid yet.");
  const int64_t ends_ms = *signed_at + expires_s * 1000;
  if (now_ms > ends_ms) {
    return s3_fail_with({{"X-Amz-Expires", std::to_string(expires_s)}, {"Expires", iso8601(ends_ms)}, {"ServerTime", iso8601(now_ms)}},
                        "AccessDenied", "Request has expired.");
  }
  claim.payload_hash = request.headers.get("x-amz-content-sha256");
  if (claim.payload_hash.empty()) claim.payload_hash = "UNSIGNED-PAYLOAD";
  return claim;
}

}  // namespace holdfast::s3
