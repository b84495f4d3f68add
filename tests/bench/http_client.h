// A blocking HTTP client that signs and sends S3 requests with as little CPU as it can: the load generator must not
// be the limit.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bench {

struct Endpoint {
  std::string host = "127.0.0.1";
  int port = 0;
  bool tls = false;  // whatever the server's certificate
  std::string access_key, secret_key;
};

// One connection. Throws std::runtime_error when the server breaks the protocol.
class S3Connection {
 public:
  explicit S3Connection(const Endpoint& endpoint);
  ~S3Connection();
  S3Connection(const S3Connection&) = delete;

  // Sends one request with UNSIGNED-PAYLOAD and reads the answer. The status; `answer`, if given, gets the body,
  // else it is thrown away.
  int request(const std::string& method, const std::string& path,
              const std::vector<std::pair<std::string, std::string>>& query, std::string_view body, std::string* answer,
              const std::string& content_md5 = "");

 private:
  void connect();
  void disconnect();
  size_t receive(char* to, size_t size);  // 0: the server has ended the connection
  size_t send_some(std::string_view head, std::string_view body);
  void send_all(std::string_view head, std::string_view body);
  int read_answer(bool head_only, std::string* answer);
  Endpoint endpoint_;
  int fd_ = -1;
  ssl_st* tls_ = nullptr;
  std::string day_key_, day_;
  std::vector<char> buffer_;
  size_t have_ = 0;
  bool closing_ = false;  // the server said that it closes after the last answer
};

}  // namespace holdfast::bench
