// A WebSocket (RFC 6455) to another server, over the same ways as HttpClient: proxies, TLS that is always verified.
#pragma once

#include <optional>

#include "storage/net/http_client.h"

namespace holdfast {

// Not thread-safe. Messages of up to 1 MiB. Pings the server while it is silent, so that nothing in between takes the
// connection for dead. Errors: as HttpClient; kDeadlineExceeded and kUnavailable (stopped) also from read().
class WebSocket {
 public:
  // Asks for one of `protocols` ("a, b"). `request`: target and headers; its deadline and its stop hold for the whole life
  // of the socket, also while read() waits. A server that answers with something else than an upgrade: no socket,
  // and what it said, of which 64 KiB are read, in `refusal`.
  static Result<std::unique_ptr<WebSocket>> open(const HttpEndpoint& endpoint, const ClientRequest& request, const std::string& protocols,
                                                 ClientResponse& refusal);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;

  // The one that the server chose.
  const std::string& protocol() const;
  // Waits for a message; nullopt: the server has closed the socket.
  Result<std::optional<std::string>> read();

 private:
  struct Inside;
  explicit WebSocket(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace holdfast
