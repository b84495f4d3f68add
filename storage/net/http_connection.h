// One accepted connection. Private to storage/net.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>

#include "storage/net/http_server.h"
#include "storage/net/tls_stream.h"
#include "storage/net/transfer_coding.h"

namespace holdfast {

using TlsContext = std::shared_ptr<asio::ssl::context>;

class HttpConnection final : public HttpExchange, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Socket socket, TlsContext tls, const HttpServerOptions& options, const HttpHandler& handler,
                 std::string peer);

  asio::awaitable<void> run();
  // Called on the I/O thread about once a second.
  void check_deadline(std::chrono::steady_clock::time_point now);
  void close();
  bool idle() const { return idle_; }

  const HttpRequest& request() const override { return request_; }
  asio::awaitable<Result<size_t>> read_body(MutableByteSpan out) override;
  asio::awaitable<Result<void>> respond(HttpResponse response) override;
  asio::awaitable<Result<void>> start_response(HttpResponse head, uint64_t content_length, ByteSpan first) override;
  asio::awaitable<Result<void>> write_body(ByteSpan bytes) override;
  void abandon() override { request_.keep_alive = false; }
  bool answered() const override { return answered_; }
  unsigned status() const override { return status_; }
  uint64_t sent_bytes() const override { return sent_bytes_; }

 private:
  asio::awaitable<Result<size_t>> read_some(MutableByteSpan out);
  asio::awaitable<Result<void>> write_all(ByteSpan head, ByteSpan body);
  asio::awaitable<TlsStream::Moved> write_some(ByteSpan head, ByteSpan body);
  asio::awaitable<bool> read_head();
  asio::awaitable<void> refuse_head(unsigned status);
  asio::awaitable<void> serve_one();
  asio::awaitable<bool> skip_rest_of_body();
  asio::awaitable<Result<size_t>> read_plain(MutableByteSpan out);
  asio::awaitable<Result<size_t>> read_chunked(MutableByteSpan out);
  asio::awaitable<bool> fill_buffer();
  bool body_expected() const { return request_.chunked ? !chunks_.done() : body_left_ > 0; }
  void set_deadline(int seconds);
  void take_head(const boost::beast::http::request_parser<boost::beast::http::empty_body>& parser);
  std::string render_head(const HttpResponse& response, uint64_t content_length) const;

  Socket socket_;
  TlsContext tls_context_;
  std::unique_ptr<TlsStream> tls_;
  const HttpServerOptions& options_;
  const HttpHandler& handler_;
  const std::string peer_;
  std::chrono::steady_clock::time_point deadline_;
  bool idle_ = true;

  HttpRequest request_;
  std::vector<std::byte> buffer_;  // bytes read and not yet used
  size_t buffer_at_ = 0;
  uint64_t body_left_ = 0;
  ChunkedDecoder chunks_;  // of a body with chunked transfer coding
  bool continue_sent_ = false;
  bool answered_ = false;
  unsigned status_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t response_left_ = 0;
};

}  // namespace holdfast
