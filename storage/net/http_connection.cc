#include "storage/net/http_connection.h"

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <charconv>
#include <ctime>

#include "storage/base/text.h"
#include "storage/base/times.h"

namespace holdfast {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {
constexpr size_t kReadBytes = 16 << 10;
constexpr uint64_t kSkipLimitBytes = 1 << 20;  // more unread body than this: close instead

Status gone(const error_code& ec) {
  return Status(Code::kUnavailable, "the client's connection ended: " + ec.message());
}

// Clients with a wrong clock sign again by it (RFC 9110, 6.6.1).
const std::string& date_now() {
  thread_local std::time_t second = 0;
  thread_local std::string text;
  if (const std::time_t now = std::time(nullptr); now != second) {
    second = now;
    text = http_date(static_cast<int64_t>(now) * 1000);
  }
  return text;
}
}  // namespace

HttpConnection::HttpConnection(Socket socket, TlsContext tls, const HttpServerOptions& options,
                               const HttpHandler& handler, std::string peer)
    : socket_(std::move(socket)),
      tls_context_(std::move(tls)),
      options_(options),
      handler_(handler),
      peer_(std::move(peer)) {
  if (tls_context_) tls_ = std::make_unique<TlsStream>(socket_, tls_context_->native_handle());
  set_deadline(options_.io_timeout_s);
}

void HttpConnection::set_deadline(int seconds) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
}

void HttpConnection::check_deadline(std::chrono::steady_clock::time_point now) {
  if (now > deadline_) close();
}

void HttpConnection::close() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
}

asio::awaitable<Result<size_t>> HttpConnection::read_some(MutableByteSpan out) {
  set_deadline(idle_ ? options_.idle_timeout_s : options_.io_timeout_s);
  TlsStream::Moved moved;
  if (tls_) {
    moved = co_await tls_->read_some(out);
  } else {
    auto token = asio::redirect_error(asio::use_awaitable, moved.ec);
    moved.bytes = co_await socket_.async_read_some(asio::buffer(out.data(), out.size()), token);
  }
  if (moved.ec) {
    Result<size_t> failed = error(gone(moved.ec));
    co_return failed;
  }
  co_return moved.bytes;
}

asio::awaitable<TlsStream::Moved> HttpConnection::write_some(ByteSpan head, ByteSpan body) {
  TlsStream::Moved moved;
  if (tls_) {
    const ByteSpan first = head.first(std::min(head.size(), TlsStream::kMaxWriteBytes));
    const ByteSpan second = body.first(std::min(body.size(), TlsStream::kMaxWriteBytes - first.size()));
    moved.ec = co_await tls_->write(first, second);
    moved.bytes = first.size() + second.size();
  } else {
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(head.data(), head.size()), asio::buffer(body.data(), body.size())};
    auto token = asio::redirect_error(asio::use_awaitable, moved.ec);
    moved.bytes = co_await socket_.async_write_some(buffers, token);
  }
  co_return moved;
}

asio::awaitable<Result<void>> HttpConnection::write_all(ByteSpan head, ByteSpan body) {
  TlsStream::Moved moved;
  // In steps, so that a large write that moves at all is not cut off by the deadline.
  while (!(head.empty() && body.empty()) && !moved.ec) {
    set_deadline(options_.io_timeout_s);
    moved = co_await write_some(head, body);
    const size_t of_head = std::min(head.size(), moved.bytes);
    head = head.subspan(of_head);
    body = body.subspan(moved.bytes - of_head);
  }
  Result<void> result;
  if (moved.ec) result = error(gone(moved.ec));
  co_return result;
}

asio::awaitable<void> HttpConnection::run() {
  if (tls_) {
    const error_code ec = co_await tls_->handshake();
    if (ec) {
      close();
      co_return;
    }
  }
  for (;;) {
    idle_ = true;
    const bool parsed = co_await read_head();
    if (!parsed) break;
    co_await serve_one();
    if (!request_.keep_alive || response_left_ != 0) break;
    const bool clean = co_await skip_rest_of_body();
    if (!clean) break;
  }
  close();
}

asio::awaitable<bool> HttpConnection::read_head() {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(options_.max_header_bytes);
  parser.body_limit(boost::none);
  for (;;) {
    error_code ec;
    if (buffer_at_ < buffer_.size()) {
      const size_t n = parser.put(asio::buffer(buffer_.data() + buffer_at_, buffer_.size() - buffer_at_), ec);
      buffer_at_ += n;
      if (ec == http::error::need_more) ec = {};
      if (parser.is_header_done()) break;
      if (ec || buffer_.size() - buffer_at_ > options_.max_header_bytes) {
        co_await refuse_head(ec == http::error::header_limit ? 431 : 400);
        co_return false;
      }
    }
    if (buffer_at_ == buffer_.size()) {
      buffer_.clear();
      buffer_at_ = 0;
    }
    const size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    MutableByteSpan room(buffer_.data() + before, kReadBytes);
    Result<size_t> n = co_await read_some(room);
    buffer_.resize(before + (n ? *n : 0));
    if (!n || *n == 0) co_return false;
    idle_ = false;
  }
  idle_ = false;
  // Two lengths: what one reader takes for a body is another's next request (RFC 9112, section 6.3).
  if (parser.chunked() && parser.get().count(http::field::content_length) > 0) {
    co_await refuse_head(400);
    co_return false;
  }
  take_head(parser);
  co_return true;
}

asio::awaitable<void> HttpConnection::refuse_head(unsigned status) {
  HttpResponse bad;
  bad.status = status;
  request_ = {};
  request_.keep_alive = false;
  answered_ = false;
  (void)co_await respond(std::move(bad));
}

void HttpConnection::take_head(const http::request_parser<http::empty_body>& parser) {
  const auto& message = parser.get();
  request_ = HttpRequest{};
  request_.method = std::string(message.method_string());
  request_.target = std::string(message.target());
  request_.tls = tls_ != nullptr;
  request_.peer = peer_;
  for (const auto& field : message) {
    request_.headers.add(lower(field.name_string()), std::string(field.value()));
  }
  request_.chunked = parser.chunked();
  if (const auto length = parser.content_length()) request_.content_length = *length;
  request_.keep_alive = parser.keep_alive();
  request_.expects_continue = beast::iequals(message[http::field::expect], "100-continue");
  body_left_ = request_.content_length.value_or(0);
  chunks_ = ChunkedDecoder();
  continue_sent_ = false;
  answered_ = false;
  status_ = 0;
  sent_bytes_ = 0;
  response_left_ = 0;
}

asio::awaitable<void> HttpConnection::serve_one() {
  try {
    co_await handler_(*this);
  } catch (const std::exception&) {
    request_.keep_alive = false;
  }
  if (!answered_) {
    HttpResponse failed;
    failed.status = 500;
    (void)co_await respond(std::move(failed));
  }
}

asio::awaitable<bool> HttpConnection::skip_rest_of_body() {
  // A client that waits for "100 Continue" and got a final answer instead sends no body.
  if (body_expected() && request_.expects_continue && !continue_sent_) co_return false;
  if (request_.chunked) co_return chunks_.done();
  if (body_left_ > kSkipLimitBytes) co_return false;
  std::vector<std::byte> scrap(std::min<uint64_t>(body_left_, 64 << 10));
  while (body_left_ > 0) {
    MutableByteSpan into(scrap);
    Result<size_t> n = co_await read_body(into);
    if (!n || *n == 0) co_return false;
  }
  co_return true;
}

asio::awaitable<Result<size_t>> HttpConnection::read_body(MutableByteSpan out) {
  if (request_.expects_continue && !continue_sent_ && body_expected()) {
    continue_sent_ = true;
    const std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
    ByteSpan bytes = as_bytes(line);
    Result<void> sent = co_await write_all(bytes, ByteSpan());
    if (!sent) {
      Result<size_t> failed = std::unexpected(sent.error());
      co_return failed;
    }
  }
  Result<size_t> result(0);
  if (request_.chunked) {
    result = co_await read_chunked(out);
  } else {
    result = co_await read_plain(out);
  }
  co_return result;
}

asio::awaitable<Result<size_t>> HttpConnection::read_chunked(MutableByteSpan out) {
  size_t have = 0;
  while (have < out.size() && !chunks_.done()) {
    if (buffer_at_ == buffer_.size()) {
      const bool more = co_await fill_buffer();
      if (!more) {
        Result<size_t> failed = error(Code::kUnavailable, "the client ended the connection inside a body");
        co_return failed;
      }
    }
    const auto step = chunks_.decode(ByteSpan(buffer_).subspan(buffer_at_), out.subspan(have));
    if (!step) {
      request_.keep_alive = false;
      Result<size_t> failed = std::unexpected(step.error());
      co_return failed;
    }
    buffer_at_ += step->taken;
    have += step->made;
  }
  Result<size_t> result(have);
  co_return result;
}

// Replaces a used-up buffer by the next bytes; false at the end of the connection.
asio::awaitable<bool> HttpConnection::fill_buffer() {
  buffer_.resize(kReadBytes);
  buffer_at_ = 0;
  MutableByteSpan room(buffer_);
  Result<size_t> n = co_await read_some(room);
  buffer_.resize(n ? *n : 0);
  co_return n && *n > 0;
}

asio::awaitable<Result<size_t>> HttpConnection::read_plain(MutableByteSpan out) {
  const size_t want = std::min<uint64_t>(out.size(), body_left_);
  size_t have = std::min(want, buffer_.size() - buffer_at_);
  if (have > 0) std::memcpy(out.data(), buffer_.data() + buffer_at_, have);
  buffer_at_ += have;
  while (have < want) {
    MutableByteSpan rest = out.subspan(have, want - have);
    Result<size_t> n = co_await read_some(rest);
    if (!n) co_return n;
    if (*n == 0) {
      Result<size_t> failed = error(Code::kUnavailable, "the client ended the connection inside a body");
      co_return failed;
    }
    have += *n;
  }
  body_left_ -= have;
  co_return have;
}

std::string HttpConnection::render_head(const HttpResponse& response, uint64_t content_length) const {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += http_reason(response.status);
  head += "\r\nDate: " + date_now() + "\r\n";
  for (const auto& [name, value] : response.headers.all()) {
    // A header that would break the message is left out: values come from users' metadata.
    if (value.find_first_of("\r\n") != std::string::npos) continue;
    head += name + ": " + value + "\r\n";
  }
  if (response.status != 204 && response.status != 304) {
    head += "Content-Length: " + std::to_string(content_length) + "\r\n";
  }
  head += request_.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

asio::awaitable<Result<void>> HttpConnection::respond(HttpResponse response) {
  answered_ = true;
  status_ = response.status;
  const bool body_awaited = request_.expects_continue && !continue_sent_ && body_expected();
  const bool too_long = request_.chunked ? body_expected() : body_left_ > kSkipLimitBytes;
  if (body_awaited || too_long) request_.keep_alive = false;
  const bool no_body = request_.method == "HEAD" || response.status == 204 || response.status == 304;
  const std::string head = render_head(response, response.body.size());
  ByteSpan head_bytes = as_bytes(head);
  ByteSpan body_bytes = no_body ? ByteSpan() : as_bytes(response.body);
  Result<void> result = co_await write_all(head_bytes, body_bytes);
  if (!result) request_.keep_alive = false;
  sent_bytes_ = body_bytes.size();
  co_return result;
}

asio::awaitable<Result<void>> HttpConnection::start_response(HttpResponse head, uint64_t content_length,
                                                             ByteSpan first) {
  answered_ = true;
  status_ = head.status;
  sent_bytes_ = first.size();
  response_left_ = request_.method == "HEAD" ? 0 : content_length - first.size();
  const std::string text = render_head(head, content_length);
  ByteSpan bytes = as_bytes(text);
  Result<void> result = co_await write_all(bytes, first);
  co_return result;
}

asio::awaitable<Result<void>> HttpConnection::write_body(ByteSpan bytes) {
  Result<void> result = co_await write_all(bytes, ByteSpan());
  if (result) sent_bytes_ += bytes.size();
  if (result) response_left_ -= std::min<uint64_t>(response_left_, bytes.size());
  co_return result;
}

}  // namespace holdfast
