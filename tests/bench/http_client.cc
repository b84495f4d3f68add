#include "tests/bench/http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "storage/net/http_types.h"
#include "storage/net/sigv4.h"

namespace holdfast::bench {

namespace {

SSL_CTX* tls_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* c = ::SSL_CTX_new(TLS_client_method());
    ::SSL_CTX_set_read_ahead(c, 1);  // many records in one system call
    ::SSL_CTX_set_default_read_buffer_len(c, 128 << 10);
    return c;
  }();
  return context;
}

}  // namespace

S3Connection::S3Connection(const Endpoint& endpoint) : endpoint_(endpoint), buffer_(1 << 20) { connect(); }

void S3Connection::connect() {
  disconnect();
  fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(endpoint_.port));
  ::inet_pton(AF_INET, endpoint_.host.c_str(), &address.sin_addr);
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
  if (!endpoint_.tls) return;
  tls_ = ::SSL_new(tls_context());
  if (tls_ == nullptr || ::SSL_set_fd(tls_, fd_) != 1 || ::SSL_connect(tls_) != 1) throw std::runtime_error("no TLS session");
}

void S3Connection::disconnect() {
  ::SSL_free(tls_);
  tls_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

S3Connection::~S3Connection() { disconnect(); }

size_t S3Connection::receive(char* to, size_t size) {
  const ssize_t n = tls_ != nullptr ? ::SSL_read(tls_, to, static_cast<int>(size)) : ::recv(fd_, to, size, 0);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

size_t S3Connection::send_some(std::string_view head, std::string_view body) {
  ssize_t n = 0;
  if (tls_ != nullptr) {
    const std::string_view next = head.empty() ? body : head;
    n = ::SSL_write(tls_, next.data(), static_cast<int>(next.size()));
  } else {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
    n = ::writev(fd_, parts, 2);
  }
  if (n <= 0) throw std::runtime_error("send failed");
  return static_cast<size_t>(n);
}

void S3Connection::send_all(std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    const size_t n = send_some(head, body), from_head = std::min(head.size(), n);
    head.remove_prefix(from_head);
    body.remove_prefix(n - from_head);
  }
}

int S3Connection::read_answer(bool head_only, std::string* answer) {
  have_ = 0;
  size_t end = 0;
  for (;;) {
    const size_t n = receive(buffer_.data() + have_, buffer_.size() - have_);
    if (n == 0) throw std::runtime_error("the server ended the connection");
    have_ += n;
    const std::string_view text(buffer_.data(), have_);
    if (const size_t at = text.find("\r\n\r\n"); at != std::string_view::npos) {
      end = at + 4;
      break;
    }
    if (have_ == buffer_.size()) throw std::runtime_error("the answer's head is too long");
  }
  std::string head(buffer_.data(), end);
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  closing_ = head.find("\r\nconnection: close") != std::string::npos;
  const int status = std::stoi(head.substr(9, 3));
  uint64_t left = 0;
  if (const size_t at = head.find("\r\ncontent-length:"); at != std::string::npos) left = std::stoull(head.substr(at + 17));
  const bool chunked = head.find("\r\ntransfer-encoding: chunked") != std::string::npos;
  if (head_only || status == 204 || status == 304) left = 0;
  std::string body(buffer_.data() + end, have_ - end);
  if (chunked && !head_only) {
    while (!body.ends_with("0\r\n\r\n")) {
      const size_t n = receive(buffer_.data(), buffer_.size());
      if (n == 0) throw std::runtime_error("the answer is cut short");
      body.append(buffer_.data(), n);
    }
    if (answer != nullptr) *answer = body;
    return status;
  }
  left -= std::min<uint64_t>(left, body.size());
  while (left > 0) {
    const size_t n = receive(buffer_.data(), std::min<uint64_t>(buffer_.size(), left));
    if (n == 0) throw std::runtime_error("the answer is cut short");
    left -= n;
    if (answer != nullptr) body.append(buffer_.data(), n);
  }
  if (answer != nullptr) *answer = std::move(body);
  return status;
}

int S3Connection::request(const std::string& method, const std::string& path,
                          const std::vector<std::pair<std::string, std::string>>& query, std::string_view body,
                          std::string* answer, const std::string& content_md5) {
  char now[32];
  const std::time_t seconds = std::time(nullptr);
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  std::strftime(now, sizeof now, "%Y%m%dT%H%M%SZ", &tm);
  const SigningScope scope{std::string(now, 8), "us-east-1", "s3"};
  if (day_ != scope.date) {
    day_ = scope.date;
    day_key_ = signing_key(endpoint_.secret_key, scope);
  }
  CanonicalRequest canonical;
  canonical.method = method;
  canonical.path = path;
  canonical.query = query;
  canonical.payload_hash = "UNSIGNED-PAYLOAD";
  const std::string host = endpoint_.host + ":" + std::to_string(endpoint_.port);
  if (!content_md5.empty()) canonical.headers.emplace_back("content-md5", content_md5);
  canonical.headers.emplace_back("host", host);
  canonical.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  canonical.headers.emplace_back("x-amz-date", now);
  const std::string signature = request_signature(canonical, now, scope, day_key_);
  std::string head = method + " " + percent_encode(path, true);
  for (size_t i = 0; i < query.size(); ++i) {
    head += (i == 0 ? "?" : "&") + percent_encode(query[i].first, false) + "=" + percent_encode(query[i].second, false);
  }
  head += " HTTP/1.1\r\n";
  for (const auto& [name, value] : canonical.headers) head += name + ": " + value + "\r\n";
  head += "Authorization: AWS4-HMAC-SHA256 Credential=" + endpoint_.access_key + "/" + scope.text() +
          ", SignedHeaders=" + signed_header_names(canonical) + ", Signature=" + signature +
          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  if (closing_) connect();
  closing_ = false;
  send_all(head, body);
  return read_answer(method == "HEAD", answer);
}

}  // namespace holdfast::bench
