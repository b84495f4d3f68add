#include "storage/net/curl_handle.h"

#include <algorithm>

namespace holdfast {

namespace {

CURL* new_handle() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)started;
  return curl_easy_init();
}

}  // namespace

CurlHandle::CurlHandle() : handle_(new_handle()) {}

void CurlHandle::set_blob(CURLoption option, const std::string& pem) {
  if (pem.empty()) return;
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(handle_, option, &blob);
}

void CurlHandle::set_reach(const HttpEndpoint& endpoint, const std::string& target) {
  std::string url = endpoint.base_url;
  if (!endpoint.tls_server_name.empty()) url = under_other_name(url, endpoint.tls_server_name);
  curl_easy_setopt(handle_, CURLOPT_URL, (url + target).c_str());
  curl_easy_setopt(handle_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, kConnectDeadlineMs);
  set_blob(CURLOPT_CAINFO_BLOB, endpoint.ca_pem);
  set_blob(CURLOPT_SSLCERT_BLOB, endpoint.certificate_pem);
  set_blob(CURLOPT_SSLKEY_BLOB, endpoint.key_pem);
  if (!endpoint.proxy_url.empty()) curl_easy_setopt(handle_, CURLOPT_PROXY, endpoint.proxy_url.c_str());
}

// The URL with the name that the certificate bears; connections still go to the host that it had.
std::string CurlHandle::under_other_name(const std::string& url, const std::string& name) {
  const size_t begin = url.find("://") + 3;
  const size_t end = std::min(url.find('/', begin), url.size());
  const std::string authority = url.substr(begin, end - begin);
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  const std::string port = colon == std::string::npos ? "" : authority.substr(colon);
  connect_to_.reset(curl_slist_append(nullptr, ("::" + authority.substr(0, colon) + port).c_str()));
  curl_easy_setopt(handle_, CURLOPT_CONNECT_TO, connect_to_.get());
  return url.substr(0, begin) + name + port + url.substr(end);
}

Status status_of_curl(CURLcode code, const char* detail, const std::string& url) {
  const std::string what = url + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Status(Code::kDeadlineExceeded, what);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Status(Code::kPermissionDenied, what);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return Status(Code::kInvalidArgument, what);
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return Status(Code::kUnavailable, Subject::kConnection, what);
    case CURLE_ABORTED_BY_CALLBACK: return Status(Code::kUnavailable, url + ": stopped");
    default: return Status(Code::kUnavailable, what);
  }
}

}  // namespace holdfast
