#include "storage/net/sigv4.h"

#include <algorithm>
#include <map>

#include "storage/base/bytes.h"
#include "storage/base/digest.h"
#include "storage/net/http_types.h"

namespace holdfast {

namespace {

// Without blanks at the ends, runs of blanks as one.
std::string trimmed(std::string_view value) {
  std::string out;
  for (char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::string signing_key(std::string_view secret, const SigningScope& scope) {
  constexpr size_t kMostRemembered = 256;
  thread_local std::map<std::string, std::string> remembered;  // by scope and secret
  std::string name = scope.text() + "/" + std::string(secret);
  if (const auto found = remembered.find(name); found != remembered.end()) return found->second;
  const std::string date = hmac_sha256("AWS4" + std::string(secret), scope.date);
  const std::string region = hmac_sha256(date, scope.region);
  const std::string service = hmac_sha256(region, scope.service);
  std::string key = hmac_sha256(service, "aws4_request");
  if (remembered.size() == kMostRemembered) remembered.clear();
  remembered.emplace(std::move(name), key);
  return key;
}

std::string signed_header_names(const CanonicalRequest& request) {
  std::string names;
  for (const auto& [name, value] : request.headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string canonical_text(const CanonicalRequest& request) {
  std::vector<std::pair<std::string, std::string>> query;
  for (const auto& [name, value] : request.query) {
    query.emplace_back(percent_encode(name, false), percent_encode(value, false));
  }
  std::sort(query.begin(), query.end());
  std::string text = request.method + "\n" + percent_encode(request.path, true) + "\n";
  for (size_t i = 0; i < query.size(); ++i) text += (i == 0 ? "" : "&") + query[i].first + "=" + query[i].second;
  text += "\n";
  for (const auto& [name, value] : request.headers) text += name + ":" + trimmed(value) + "\n";
  text += "\n" + signed_header_names(request) + "\n" + request.payload_hash;
  return text;
}

std::string request_signature(const CanonicalRequest& request, std::string_view timestamp, const SigningScope& scope,
                              std::string_view key) {
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + std::string(timestamp) + "\n" + scope.text() + "\n" +
                              sha256_hex(canonical_text(request));
  return hex(as_bytes(hmac_sha256(key, to_sign)));
}

}  // namespace holdfast
