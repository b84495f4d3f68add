// TLS of one accepted connection: OpenSSL between the caller's bytes and a socket of Asio. Private to storage/net.
//
// Records are collected and go out many in one system call; Asio's own stream sends each of 16 KiB by itself, through one more buffer.
#pragma once

#include <openssl/bio.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <vector>

#include "storage/base/bytes.h"

namespace holdfast {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;

// For one thread, that of the socket, and one operation at a time. An operation that waits ends with an error when the socket is closed.
class TlsStream {
 public:
  using error_code = boost::system::error_code;
  struct Moved {
    size_t bytes = 0;
    error_code ec;
  };
  // What write() takes at a time: the records of so much lie in memory until they are sent.
  static constexpr size_t kMaxWriteBytes = 64 << 10;

  // The socket outlives the stream; the context is kept by it.
  TlsStream(Socket& socket, SSL_CTX* context);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;

  asio::awaitable<error_code> handshake();
  // At least a byte, or an error; asio::error::eof when the peer has said that it ends.
  asio::awaitable<Moved> read_some(MutableByteSpan out);
  // All of both, together at most kMaxWriteBytes.
  asio::awaitable<error_code> write(ByteSpan head, ByteSpan body);

 private:
  // What an operation of OpenSSL came to; taken at once, since its errors are kept by thread.
  struct Outcome {
    int want = 0;  // SSL_ERROR_*
    error_code ec;
  };
  Outcome outcome(int result) const;
  // Sends what there is, then fetches what the operation lacks. An error ends it; without one it is tried again unless it has succeeded.
  asio::awaitable<error_code> go_on(Outcome after);
  asio::awaitable<error_code> write_one(ByteSpan bytes);

  static const BIO_METHOD* transport();
  static int take_sent(BIO* bio, const char* data, int size);
  static int give_received(BIO* bio, char* data, int size);
  static long control(BIO* bio, int command, long number, void* pointer);

  Socket& socket_;
  SSL* ssl_;
  std::vector<std::byte> out_;       // records to be sent
  std::unique_ptr<std::byte[]> in_;  // received; there only while something of it is not yet taken, or more is awaited
  size_t in_at_ = 0, in_size_ = 0;
};

}  // namespace holdfast
