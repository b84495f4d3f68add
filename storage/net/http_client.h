// HTTP/1.1 requests to other servers, over libcurl: kept connections, proxies, TLS that is always verified.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "storage/base/status.h"
#include "storage/net/http_types.h"

namespace holdfast {

// How one server is reached and what it must prove. PEM texts, not files: secrets stay in memory.
struct HttpEndpoint {
  std::string base_url;  // https://host:port/path, without a slash at its end
  std::string ca_pem;    // authorities that may vouch for the server; empty: those of the system
  std::string tls_server_name;  // the name that its certificate must bear; empty: the URL's host
  std::string certificate_pem;  // of the client, with its key
  std::string key_pem;
  std::string proxy_url;  // empty: what HTTPS_PROXY and NO_PROXY of the environment say
};

struct ClientRequest {
  std::string method = "GET";
  std::string target;  // path and query, behind the base URL
  HttpHeaders headers;
  std::string body;
  std::string_view large_body;  // instead, not copied: it has to stay until the answer
  std::chrono::milliseconds deadline{60'000};   // of the whole exchange; 0: none
  std::chrono::seconds longest_silence{60};     // without a byte in either direction
  uint64_t most_bytes_per_second = 0;           // in each direction; 0: as fast as it goes
  std::stop_token stop;                         // ends the exchange within a second
};

struct ClientResponse {
  unsigned status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;     // empty where it went to a sink
};

// Thread-safe: concurrent requests use connections of their own.
// Errors: kUnavailable (cut off, stopped; with Subject::kConnection: not reached), kDeadlineExceeded, kPermissionDenied (a certificate that does
// not hold), kInvalidArgument (an answer larger than `max_body_bytes`). Any HTTP status is a success here.
class HttpClient {
 public:
  // Takes the body of a 2xx answer piece by piece. Its error ends the exchange and is returned.
  using Sink = std::function<Result<void>(std::string_view)>;

  explicit HttpClient(HttpEndpoint endpoint);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;

  Result<ClientResponse> send(const ClientRequest& request, uint64_t max_body_bytes = 16 << 20);
  // A body of another status than 2xx is kept in the answer, its first 64 KiB.
  Result<ClientResponse> stream(const ClientRequest& request, const Sink& sink);

  const HttpEndpoint& endpoint() const { return endpoint_; }

 private:
  class Session;
  Result<ClientResponse> perform(const ClientRequest& request, const Sink* sink, uint64_t max_body_bytes);
  std::unique_ptr<Session> take();
  void give_back(std::unique_ptr<Session> session);

  const HttpEndpoint endpoint_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace holdfast
