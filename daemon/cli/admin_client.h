// Talks to the admin API of a running daemon: over its Unix socket, or over HTTP with a token.
#pragma once

#include <boost/json/value.hpp>

#include "storage/base/status.h"

namespace holdfast {

// Bytes of something larger.
struct FetchedPiece {
  std::string bytes, etag;
  uint64_t total_bytes = 0;
};

class AdminClient {
 public:
  // `where`: a socket path, or http://HOST:PORT.
  AdminClient(std::string where, std::string token) : where_(std::move(where)), token_(std::move(token)) {}

  // The answer's document; its error, with the server's message, when the status is not 2xx.
  Result<boost::json::value> call(const std::string& method, const std::string& path, const boost::json::value& body = nullptr);
  Result<FetchedPiece> fetch(const std::string& path);

 private:
  struct Answer;
  Result<Answer> send(const std::string& method, const std::string& path, const boost::json::value& body);

  std::string where_;
  std::string token_;
};

}  // namespace holdfast
