// URLs that carry their own signature: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
#pragma once

#include <chrono>
#include <string>

#include "storage/net/sigv4.h"

namespace holdfast {

struct PresignRequest {
  std::string base_url;  // "https://storage:9000", without a slash at its end
  std::string bucket, key;
  std::string access_key, secret;
  std::string region;
  int64_t now_ms = 0;
  std::chrono::seconds lifetime{600};
};

// For a GET, path style.
std::string presigned_url(const PresignRequest& request);

}  // namespace holdfast
