#include "tests/bench/http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
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

S3Connection::S3Connection(const Endpoint& endpoint) : endpoint_(endpoint), buffer_(1 << 20) { connect(); }

void S3Connection::connect() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(endpoint_.port));
  ::inet_pton(AF_INET, endpoint_.host.c_str(), &address.sin_addr);
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
}

S3Connection::~S3Connection() { ::close(fd_); }

void S3Connection::send_all(std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
    const ssize_t n = ::writev(fd_, parts, 2);
    if (n <= 0) throw std::runtime_error("send failed");
    const size_t from_head = std::min(head.size(), static_cast<size_t>(n));
    head.remove_prefix(from_head);
    body.remove_prefix(static_cast<size_t>(n) - from_head);
  }
}

int S3Connection::read_answer(bool head_only, std::string* answer) {
  have_ = 0;
  size_t end = 0;
  for (;;) {
    const ssize_t n = ::recv(fd_, buffer_.data() + have_, buffer_.size() - have_, 0);
    if (n <= 0) throw std::runtime_error("the server ended the connection");
    have_ += static_cast<size_t>(n);
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
      const ssize_t n = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (n <= 0) throw std::runtime_error("the answer is cut short");
      body.append(buffer_.data(), static_cast<size_t>(n));
    }
    if (answer != nullptr) *answer = body;
    return status;
  }
  left -= std::min<uint64_t>(left, body.size());
  while (left > 0) {
    const ssize_t n = ::recv(fd_, buffer_.data(), std::min<uint64_t>(buffer_.size(), left), 0);
    if (n <= 0) throw std::runtime_error("the answer is cut short");
    left -= static_cast<uint64_t>(n);
    if (answer != nullptr) body.append(buffer_.data(), static_cast<size_t>(n));
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
