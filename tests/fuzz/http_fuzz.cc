// Request heads: Beast's parser, then our routing of whatever it accepts.
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "s3gw/protocol/operation.h"
#include "storage/base/times.h"
#include "storage/net/http_types.h"

using namespace holdfast;
namespace http = boost::beast::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(64 << 10);
  boost::system::error_code ec;
  parser.put(boost::asio::buffer(data, size), ec);
  HttpRequest request;
  if (parser.is_header_done()) {
    request.method = std::string(parser.get().method_string());
    request.target = std::string(parser.get().target());
    for (const auto& field : parser.get()) request.headers.add(std::string(field.name_string()), std::string(field.value()));
  } else {
    request.method = "GET";
    request.target = "/" + std::string(reinterpret_cast<const char*>(data), size);
  }
  const auto query = s3::Query::parse(request.query());
  const auto target = s3::parse_target(request, {"s3.example"});
  if (query && target) (void)s3::route(request, *target, *query);
  if (const auto decoded = percent_decode(request.path())) {
    if (percent_decode(percent_encode(*decoded, true)) != *decoded) __builtin_trap();
  }
  (void)parse_http_date(request.headers.get("date"));
  (void)parse_iso8601(request.headers.get("x-amz-date"));
  return 0;
}
