// An HTTP/1.1 server: headers parsed by Beast, bodies read straight from the socket, every wait with a deadline.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "storage/base/bytes.h"
#include "storage/net/http_types.h"

namespace holdfast {

// One request and its answer. Used by one coroutine on the connection's I/O thread.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual const HttpRequest& request() const = 0;

  // Fills `out` from the body: all of it, or less only at the body's end. 0: the body is complete.
  // kUnavailable: the client went away or was too slow. Sends "100 Continue" first when it is awaited.
  virtual boost::asio::awaitable<Result<size_t>> read_body(MutableByteSpan out) = 0;

  // The whole answer at once.
  virtual boost::asio::awaitable<Result<void>> respond(HttpResponse response) = 0;

  // Or in pieces: the head, whose headers name no length, then exactly `content_length` bytes, of which `first`
  // goes out with the head.
  virtual boost::asio::awaitable<Result<void>> start_response(HttpResponse head, uint64_t content_length,
                                                              ByteSpan first) = 0;
  virtual boost::asio::awaitable<Result<void>> write_body(ByteSpan bytes) = 0;

  // Closes the connection after this exchange; at once when the answer has begun and is not complete.
  virtual void abandon() = 0;
  virtual bool answered() const = 0;
  virtual unsigned status() const = 0;       // of the answer
  virtual uint64_t sent_bytes() const = 0;   // of its body
};

// Called once a request. A handler that returns without an answer gives the client a 500.
using HttpHandler = std::function<boost::asio::awaitable<void>(HttpExchange&)>;

struct HttpServerOptions {
  struct Listener {
    std::string host;          // address; or empty with `fd` or `unix_path`
    uint16_t port = 0;
    int fd = -1;               // inherited from systemd
    std::string unix_path;     // a Unix socket with mode 0600
    bool tls = false;
  };
  std::vector<Listener> listeners;
  std::string certificate_file, key_file;  // PEM; needed by TLS listeners
  unsigned threads = 0;                    // 0: one a core
  uint32_t max_header_bytes = 64 << 10;
  int idle_timeout_s = 75;
  int io_timeout_s = 60;                   // without any progress
  uint32_t max_connections = 4096;
};

class HttpServer {
 public:
  // Binds; errors name the address. Serving begins with start().
  static Result<std::unique_ptr<HttpServer>> create(HttpServerOptions options, HttpHandler handler);
  virtual ~HttpServer() = default;

  virtual void start() = 0;
  // The bound ports, in the order of the listeners (0 for Unix sockets).
  virtual std::vector<uint16_t> ports() const = 0;
  // Reads certificate and key again; new connections use them. The old ones stay on an error.
  virtual Result<void> reload_certificate() = 0;
  // Takes no new connection, lets running exchanges finish until the deadline, then closes everything and joins.
  virtual void stop(int deadline_s) = 0;
  virtual uint32_t connections() const = 0;
};

}  // namespace holdfast
