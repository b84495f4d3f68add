// What every use of libcurl here has in common: how a server is reached, and what an error of libcurl means.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "storage/base/status.h"
#include "storage/net/http_client.h"

namespace holdfast {

// Not thread-safe.
class CurlHandle {
 public:
  CurlHandle();
  ~CurlHandle() { curl_easy_cleanup(handle_); }
  CurlHandle(const CurlHandle&) = delete;

  CURL* get() const { return handle_; }  // null where libcurl gives none
  // Forgets all options; connections are kept.
  void reset() { curl_easy_reset(handle_); }
  // URL, proxy, TLS from 1.2 on, always verified. `endpoint` must outlive the exchange.
  void set_reach(const HttpEndpoint& endpoint, const std::string& target);

 private:
  void set_blob(CURLoption option, const std::string& pem);
  std::string under_other_name(const std::string& url, const std::string& name);

  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  CURL* const handle_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
};

inline constexpr long kConnectDeadlineMs = 10'000;

// `detail`: what CURLOPT_ERRORBUFFER holds.
Status status_of_curl(CURLcode code, const char* detail, const std::string& url);

}  // namespace holdfast
