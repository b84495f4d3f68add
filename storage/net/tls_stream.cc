#include "storage/net/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <new>

namespace holdfast {

namespace {
constexpr size_t kReceiveBytes = 32 << 10;
constexpr size_t kRecordBytes = 16 << 10;  // the most that a record holds (RFC 8446, section 5.1)
}  // namespace

// BIO_meth_set_read() and its like have the errors of BIO_read(): -1 with the retry flag set is "later".
const BIO_METHOD* TlsStream::transport() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (m == nullptr) throw std::bad_alloc();
    ::BIO_meth_set_write(m, take_sent);
    ::BIO_meth_set_read(m, give_received);
    ::BIO_meth_set_ctrl(m, control);
    return m;
  }();
  return method;
}

TlsStream::TlsStream(Socket& socket, SSL_CTX* context) : socket_(socket), ssl_(::SSL_new(context)) {
  BIO* bio = ssl_ != nullptr ? ::BIO_new(transport()) : nullptr;
  if (bio == nullptr) {
    ::SSL_free(ssl_);
    throw std::bad_alloc();
  }
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_, bio, bio);
  ::SSL_set_accept_state(ssl_);
  ::SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);  // an idle connection needs none
}

TlsStream::~TlsStream() { ::SSL_free(ssl_); }

int TlsStream::take_sent(BIO* bio, const char* data, int size) {
  auto& self = *static_cast<TlsStream*>(::BIO_get_data(bio));
  const auto* from = reinterpret_cast<const std::byte*>(data);
  self.out_.insert(self.out_.end(), from, from + size);
  return size;
}

int TlsStream::give_received(BIO* bio, char* data, int size) {
  auto& self = *static_cast<TlsStream*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  const size_t n = std::min(static_cast<size_t>(size), self.in_size_ - self.in_at_);
  if (n == 0) {
    ::BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(data, self.in_.get() + self.in_at_, n);
  self.in_at_ += n;
  return static_cast<int>(n);
}

long TlsStream::control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

TlsStream::Outcome TlsStream::outcome(int result) const {
  Outcome o;
  o.want = ::SSL_get_error(ssl_, result);
  if (o.want == SSL_ERROR_SSL) {
    o.ec = error_code(static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category());
  } else if (o.want == SSL_ERROR_ZERO_RETURN) {
    o.ec = asio::error::eof;
  } else if (o.want != SSL_ERROR_NONE && o.want != SSL_ERROR_WANT_READ) {
    o.ec = asio::error::connection_aborted;
  }
  return o;
}

asio::awaitable<TlsStream::error_code> TlsStream::go_on(Outcome after) {
  error_code ec;
  auto token = asio::redirect_error(asio::use_awaitable, ec);
  if (!out_.empty()) {
    // As much as the socket takes at a time: async_write() would cut it at 64 KiB, just below what the records of a step have.
    for (size_t at = 0; at < out_.size() && !ec;) at += co_await socket_.async_write_some(asio::buffer(out_.data() + at, out_.size() - at), token);
    out_.clear();
    if (out_.capacity() > kRecordBytes) std::vector<std::byte>().swap(out_);  // of a large body: not kept while the connection is idle
  }
  if (after.ec) co_return after.ec;  // the peer has been told why
  if (ec || after.want != SSL_ERROR_WANT_READ) co_return ec;
  if (!in_) in_ = std::make_unique_for_overwrite<std::byte[]>(kReceiveBytes);
  in_at_ = in_size_ = 0;
  in_size_ = co_await socket_.async_read_some(asio::buffer(in_.get(), kReceiveBytes), token);
  co_return ec;
}

asio::awaitable<TlsStream::error_code> TlsStream::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_);
    const Outcome after = outcome(result);
    const error_code ec = co_await go_on(after);
    if (ec || result == 1) co_return ec;
  }
}

asio::awaitable<TlsStream::Moved> TlsStream::read_some(MutableByteSpan out) {
  Moved moved;
  while (moved.bytes < out.size()) {
    ::ERR_clear_error();
    size_t n = 0;
    const int result = ::SSL_read_ex(ssl_, out.data() + moved.bytes, out.size() - moved.bytes, &n);
    moved.bytes += n;
    if (result == 1) continue;
    if (moved.bytes > 0) break;  // what is wrong, if it is, the next call meets again
    const Outcome after = outcome(result);
    moved.ec = co_await go_on(after);
    if (moved.ec) co_return moved;
  }
  // A new key of the peer's may want an answer.
  if (!out_.empty()) moved.ec = co_await go_on(Outcome());
  if (in_at_ == in_size_) in_.reset();
  co_return moved;
}

asio::awaitable<TlsStream::error_code> TlsStream::write_one(ByteSpan bytes) {
  error_code ec;
  size_t n = 0;
  while (n < bytes.size() && !ec) {
    ::ERR_clear_error();
    const int result = ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n);
    const Outcome after = outcome(result);
    if (result != 1) ec = co_await go_on(after);
  }
  co_return ec;
}

asio::awaitable<TlsStream::error_code> TlsStream::write(ByteSpan head, ByteSpan body) {
  Bytes joined;
  if (!head.empty() && !body.empty() && head.size() + body.size() <= kRecordBytes) {
    joined.reserve(head.size() + body.size());
    joined.insert(joined.end(), head.begin(), head.end());
    joined.insert(joined.end(), body.begin(), body.end());
    head = ByteSpan();
    body = joined;
  }
  if (const size_t bytes = head.size() + body.size(); bytes > kRecordBytes) out_.reserve(bytes + bytes / kRecordBytes * 64 + 128);
  error_code ec = co_await write_one(head);
  if (!ec) ec = co_await write_one(body);
  if (!ec) ec = co_await go_on(Outcome());
  co_return ec;
}

}  // namespace holdfast
