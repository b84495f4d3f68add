#include "storage/net/web_socket.h"

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "storage/base/text.h"
#include "storage/net/curl_handle.h"

namespace holdfast {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kMaxMessageBytes = 1 << 20;
constexpr size_t kMaxRefusalBytes = 64 << 10;
constexpr milliseconds kStopCheck{200};
constexpr std::chrono::seconds kSilence{20};

// The bytes of a connection that libcurl has made, as Beast reads and writes them.
class ByteStream {
 public:
  using executor_type = asio::io_context::executor_type;

  ByteStream(asio::io_context& context, SteadyClock::time_point deadline, std::stop_token stop)
      : context_(context), deadline_(deadline), stop_(std::move(stop)), heard_(SteadyClock::now()) {}

  executor_type get_executor() { return context_.get_executor(); }

  Result<void> connect(const HttpEndpoint& endpoint, const std::string& target) {
    CURL* const handle = curl_.get();
    if (handle == nullptr) return error(Code::kInternal, "libcurl gives no handle");
    char detail[CURL_ERROR_SIZE] = "";
    curl_.set_reach(endpoint, target);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, std::max<long>(1, static_cast<long>(left().count())));
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    if (code != CURLE_OK) return std::unexpected(status_of_curl(code, detail, endpoint.base_url));
    curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, &socket_);
    return {};
  }

  template <class Buffers>
  size_t read_some(const Buffers& buffers, error_code& ec) {
    for (const asio::mutable_buffer buffer : beast::buffers_range_ref(buffers)) {
      if (buffer.size() > 0) return read(buffer, ec);
    }
    ec = {};
    return 0;
  }

  template <class Buffers>
  size_t write_some(const Buffers& buffers, error_code& ec) {
    for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
      if (buffer.size() > 0) return write(buffer, ec);
    }
    ec = {};
    return 0;
  }

  // Beast asks for these of a stream, and never calls them here.
  template <class Buffers>
  size_t read_some(const Buffers& buffers) {
    error_code ec;
    return read_some(buffers, ec);
  }
  template <class Buffers>
  size_t write_some(const Buffers& buffers) {
    error_code ec;
    return write_some(buffers, ec);
  }

  // Called when nothing has come for a while.
  void on_silence(std::function<void()> action) { on_silence_ = std::move(action); }
  // What ended the last call that failed.
  Status failure(const std::string& url, const error_code& ec) const {
    if (failure_) return Status(failure_->code(), url + ": " + failure_->message());
    return Status(ec == websocket::error::message_too_big ? Code::kInvalidArgument : Code::kUnavailable, url + ": " + ec.message());
  }

 private:
  milliseconds left() const { return std::chrono::duration_cast<milliseconds>(deadline_ - SteadyClock::now()); }

  size_t read(asio::mutable_buffer buffer, error_code& ec) {
    for (;;) {
      size_t n = 0;
      const CURLcode code = curl_easy_recv(curl_.get(), buffer.data(), buffer.size(), &n);
      if (code == CURLE_OK && n > 0) {
        heard_ = SteadyClock::now();
        ec = {};
        return n;
      }
      if (code == CURLE_OK) {
        ec = asio::error::eof;
        return 0;
      }
      if (!again(code, POLLIN, ec)) return 0;
      if (on_silence_ && SteadyClock::now() - heard_ > kSilence) {
        heard_ = SteadyClock::now();
        on_silence_();
      }
    }
  }

  size_t write(asio::const_buffer buffer, error_code& ec) {
    for (;;) {
      size_t n = 0;
      const CURLcode code = curl_easy_send(curl_.get(), buffer.data(), buffer.size(), &n);
      if (code == CURLE_OK) {
        ec = {};
        return n;
      }
      if (!again(code, POLLOUT, ec)) return 0;
    }
  }

  // Waits for the socket, but not long. False: there is nothing to wait for.
  bool again(CURLcode code, short events, error_code& ec) {
    if (code != CURLE_AGAIN) failure_ = Status(Code::kUnavailable, curl_easy_strerror(code));
    else if (stop_.stop_requested()) failure_ = Status(Code::kUnavailable, "stopped");
    else if (left().count() <= 0) failure_ = Status(Code::kDeadlineExceeded, "it took too long");
    if (failure_) {
      ec = asio::error::connection_aborted;
      return false;
    }
    pollfd waiting{socket_, events, 0};
    (void)poll(&waiting, 1, static_cast<int>(std::min(left(), kStopCheck).count()));
    return true;
  }

  asio::io_context& context_;
  const SteadyClock::time_point deadline_;
  const std::stop_token stop_;
  CurlHandle curl_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;
  SteadyClock::time_point heard_;
  std::function<void()> on_silence_;
  std::optional<Status> failure_;
};

// The connection ends with its handle.
void teardown(beast::role_type, ByteStream&, error_code& ec) { ec = {}; }

// "host:port" of a URL.
std::string authority_of(const std::string& url) {
  const size_t begin = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

std::string path_of(const std::string& url) {
  const size_t begin = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
  const size_t slash = url.find('/', begin);
  return slash == std::string::npos ? "" : url.substr(slash);
}

}  // namespace

struct WebSocket::Inside {
  Inside(std::string server, SteadyClock::time_point deadline, std::stop_token stop) : url(std::move(server)), stream(context, deadline, std::move(stop)) {}

  const std::string url;
  asio::io_context context;
  websocket::stream<ByteStream, false> stream;
  std::string protocol;
};

WebSocket::WebSocket(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
WebSocket::~WebSocket() = default;

const std::string& WebSocket::protocol() const { return inside_->protocol; }

Result<std::unique_ptr<WebSocket>> WebSocket::open(const HttpEndpoint& endpoint, const ClientRequest& request, const std::string& protocols,
                                                   ClientResponse& refusal) {
  auto inside = std::make_unique<Inside>(endpoint.base_url, SteadyClock::now() + request.deadline, request.stop);
  auto& stream = inside->stream;
  HF_CHECK(stream.next_layer().connect(endpoint, request.target));
  stream.read_message_max(kMaxMessageBytes);
  stream.set_option(websocket::stream_base::decorator([&](websocket::request_type& upgrade) {
    for (const auto& [name, value] : request.headers.all()) upgrade.set(name, value);
    upgrade.set(http::field::sec_websocket_protocol, protocols);
  }));
  websocket::response_type answer;
  error_code ec;
  stream.handshake(answer, authority_of(endpoint.base_url), path_of(endpoint.base_url) + request.target, ec);
  if (ec == websocket::error::upgrade_declined) {
    refusal.status = answer.result_int();
    for (const auto& field : answer) refusal.headers.add(lower(std::string_view(field.name_string())), std::string(field.value()));
    refusal.body = answer.body().substr(0, kMaxRefusalBytes);
    return std::unique_ptr<WebSocket>();
  }
  if (ec) return std::unexpected(stream.next_layer().failure(inside->url, ec));
  inside->protocol = std::string(answer[http::field::sec_websocket_protocol]);
  stream.next_layer().on_silence([&stream] {
    error_code ignored;  // a connection that is gone shows when it is read
    stream.ping({}, ignored);
  });
  return std::unique_ptr<WebSocket>(new WebSocket(std::move(inside)));
}

Result<std::optional<std::string>> WebSocket::read() {
  beast::flat_buffer buffer;
  error_code ec;
  inside_->stream.read(buffer, ec);
  if (ec == websocket::error::closed) return std::nullopt;
  if (ec) return std::unexpected(inside_->stream.next_layer().failure(inside_->url, ec));
  return beast::buffers_to_string(buffer.data());
}

}  // namespace holdfast
