#include "daemon/cli/admin_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <charconv>

namespace holdfast {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using LocalStream = boost::beast::basic_stream<asio::local::stream_protocol>;

namespace {

constexpr auto kDeadline = std::chrono::seconds(120);
constexpr uint64_t kMaxAnswerBytes = 512ULL << 20;  // a log of 64 MiB, every character of it escaped

// Runs one asynchronous step to its end: only those honour the stream's deadline.
template <typename Start>
error_code run_step(asio::io_context& io, Start start) {
  error_code result = asio::error::would_block;
  start([&result](error_code ec, auto...) { result = ec; });
  io.restart();
  io.run();
  return result;
}

template <typename Stream>
error_code exchange(asio::io_context& io, Stream& stream, http::request<http::string_body>& request,
                    http::response_parser<http::string_body>& response) {
  stream.expires_after(kDeadline);
  error_code ec = run_step(io, [&](auto done) { http::async_write(stream, request, done); });
  boost::beast::flat_buffer buffer;
  response.body_limit(kMaxAnswerBytes);
  if (!ec) ec = run_step(io, [&](auto done) { http::async_read(stream, buffer, response, done); });
  return ec;
}

Status status_of(unsigned code, const json::value& document) {
  std::string message = "the server answered " + std::to_string(code);
  if (const auto* object = document.if_object()) {
    if (const auto* e = object->if_contains("error"); e != nullptr && e->is_object()) {
      if (const auto* m = e->as_object().if_contains("message"); m != nullptr && m->is_string()) message = m->as_string();
    }
  }
  const Code kind = code == 404 ? Code::kNotFound : code == 409 ? Code::kFailedPrecondition : Code::kInvalidArgument;
  return Status(kind, message);
}

}  // namespace

struct AdminClient::Answer {
  http::response<http::string_body> response;
};

Result<AdminClient::Answer> AdminClient::send(const std::string& method, const std::string& path, const json::value& body) {
  asio::io_context io;
  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, "localhost");
  request.set(http::field::connection, "close");
  if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
  if (!body.is_null()) {
    request.set(http::field::content_type, "application/json");
    request.body() = json::serialize(body);
  }
  request.prepare_payload();
  http::response_parser<http::string_body> response;
  error_code ec;
  if (where_.starts_with("http://")) {
    const std::string address = where_.substr(7);
    const size_t colon = address.rfind(':');
    asio::ip::tcp::resolver resolver(io);
    const auto found = resolver.resolve(address.substr(0, colon), colon == std::string::npos ? "80" : address.substr(colon + 1), ec);
    boost::beast::tcp_stream stream(io);
    stream.expires_after(kDeadline);
    if (!ec) ec = run_step(io, [&](auto done) { stream.async_connect(found, done); });
    if (!ec) ec = exchange(io, stream, request, response);
  } else {
    LocalStream stream(io);
    stream.expires_after(kDeadline);
    const asio::local::stream_protocol::endpoint endpoint(where_);
    ec = run_step(io, [&](auto done) { stream.async_connect(endpoint, done); });
    if (!ec) ec = exchange(io, stream, request, response);
  }
  if (ec) return error(Code::kUnavailable, "no answer from the daemon at " + where_ + ": " + ec.message() + " (is holdfastd running?)");
  Answer answer{response.release()};
  const unsigned status = answer.response.result_int();
  if (status / 100 == 2) return answer;
  json::value document = json::parse(answer.response.body(), ec);
  return error(status_of(status, ec ? json::value() : document));
}

Result<json::value> AdminClient::call(const std::string& method, const std::string& path, const json::value& body) {
  HF_TRY(const Answer answer, send(method, path, body));
  const std::string& text = answer.response.body();
  error_code ec;
  json::value document = text.empty() ? json::value(json::object()) : json::parse(text, ec);
  if (ec) document = json::string(text);
  return document;
}

Result<FetchedPiece> AdminClient::fetch(const std::string& path) {
  HF_TRY(Answer answer, send("GET", path, nullptr));
  FetchedPiece piece;
  piece.etag = answer.response[http::field::etag];
  const auto total = answer.response["x-total-bytes"];
  std::from_chars(total.data(), total.data() + total.size(), piece.total_bytes);
  piece.bytes = std::move(answer.response.body());
  return piece;
}

}  // namespace holdfast
