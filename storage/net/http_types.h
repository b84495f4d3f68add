// An HTTP/1.1 request and response head, free of any library's types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

// Names in lower case, values as sent, in order.
class HttpHeaders {
 public:
  void add(std::string name, std::string value) { all_.emplace_back(std::move(name), std::move(value)); }
  // The first value of that (lower-case) name; empty when absent.
  std::string_view get(std::string_view name) const {
    for (const auto& [n, v] : all_) {
      if (n == name) return v;
    }
    return {};
  }
  bool has(std::string_view name) const {
    for (const auto& [n, v] : all_) {
      if (n == name) return true;
    }
    return false;
  }
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

struct HttpRequest {
  std::string method;
  std::string target;  // path and query as sent
  HttpHeaders headers;
  std::optional<uint64_t> content_length;
  bool chunked = false;     // Transfer-Encoding: chunked
  bool keep_alive = true;
  bool expects_continue = false;
  bool tls = false;
  std::string peer;         // address of the client

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {
    const size_t at = target.find('?');
    return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
  }
};

struct HttpResponse {
  unsigned status = 200;
  HttpHeaders headers;
  std::string body;
};

std::string_view http_reason(unsigned status);

// "%41" to "A"; nothing when an escape is broken. '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);
// Escapes everything but A-Z a-z 0-9 - . _ ~ and, if asked, '/'.
std::string percent_encode(std::string_view text, bool keep_slash);

}  // namespace holdfast
