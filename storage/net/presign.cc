#include "storage/net/presign.h"

#include "storage/base/times.h"
#include "storage/net/http_types.h"

namespace holdfast {

std::string presigned_url(const PresignRequest& r) {
  const std::string timestamp = compact_date(r.now_ms);
  const SigningScope scope{timestamp.substr(0, 8), r.region};
  CanonicalRequest request;
  request.method = "GET";
  request.path = "/" + r.bucket + "/" + r.key;
  request.headers = {{"host", r.base_url.substr(r.base_url.find("://") + 3)}};
  request.query = {{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
                   {"X-Amz-Credential", r.access_key + "/" + scope.text()},
                   {"X-Amz-Date", timestamp},
                   {"X-Amz-Expires", std::to_string(r.lifetime.count())},
                   {"X-Amz-SignedHeaders", "host"}};
  request.payload_hash = "UNSIGNED-PAYLOAD";
  const std::string signature = request_signature(request, timestamp, scope, signing_key(r.secret, scope));
  std::string url = r.base_url + percent_encode(request.path, true) + "?";
  for (const auto& [name, value] : request.query) url += name + "=" + percent_encode(value, false) + "&";
  return url + "X-Amz-Signature=" + signature;
}

}  // namespace holdfast
