#include "storage/net/http_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <set>
#include <thread>

#include "storage/base/log.h"
#include "storage/net/http_connection.h"

namespace holdfast {

using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

namespace {

// One I/O thread and the connections that live on it.
struct Lane {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::set<std::shared_ptr<HttpConnection>> connections;
  std::thread thread;
};

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, HttpHandler handler) : options_(std::move(options)), handler_(std::move(handler)) {
    const unsigned n = options_.threads != 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < n; ++i) lanes_.push_back(std::make_unique<Lane>());
  }
  ~Server() override { stop(0); }

  Result<void> bind() {
    for (const auto& listener : options_.listeners) HF_CHECK(open_listener(listener));
    return reload_certificate();
  }

  void start() override {
    for (size_t i = 0; i < acceptors_.size(); ++i) {
      asio::co_spawn(lanes_[0]->io, accept_loop(i), asio::detached);
    }
    for (auto& lane : lanes_) {
      asio::co_spawn(lane->io, watch_deadlines(*lane), asio::detached);
      lane->thread = std::thread([&io = lane->io] {
        pthread_setname_np(pthread_self(), "http");
        io.run();
      });
    }
  }

  std::vector<uint16_t> ports() const override { return ports_; }
  uint32_t connections() const override { return connections_.load(); }

  Result<void> reload_certificate() override {
    const bool any_tls = std::any_of(options_.listeners.begin(), options_.listeners.end(), [](const auto& l) { return l.tls; });
    if (!any_tls) return {};
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    error_code ec;
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    // AES-128 costs less than AES-256 and nobody breaks it; who has no AES in hardware puts ChaCha20 first and gets it.
    SSL_CTX_set_ciphersuites(context->native_handle(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_options(context->native_handle(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_RENEGOTIATION);
    context->use_certificate_chain_file(options_.certificate_file, ec);
    if (ec) return error(Code::kInvalidArgument, Subject::kConfig, "certificate " + options_.certificate_file + ": " + ec.message());
    context->use_private_key_file(options_.key_file, asio::ssl::context::pem, ec);
    if (ec) return error(Code::kInvalidArgument, Subject::kConfig, "key " + options_.key_file + ": " + ec.message());
    std::lock_guard lock(tls_mutex_);
    tls_ = std::move(context);
    return {};
  }

  void stop(int deadline_s) override {
    if (stopped_.exchange(true)) return;
    asio::post(lanes_[0]->io, [this] {
      for (auto& acceptor : acceptors_) {
        error_code ignored;
        acceptor.close(ignored);
      }
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(deadline_s);
    for (auto& lane : lanes_) {
      if (!lane->thread.joinable()) continue;
      asio::co_spawn(lane->io, drain(*lane, deadline), asio::detached);
    }
    for (auto& lane : lanes_) {
      if (lane->thread.joinable()) lane->thread.join();
    }
    for (const auto& listener : options_.listeners) {
      if (!listener.unix_path.empty()) ::unlink(listener.unix_path.c_str());
    }
  }

 private:
  Result<void> open_listener(const HttpServerOptions::Listener& l) {
    Acceptor acceptor(lanes_[0]->io);
    error_code ec;
    std::string name = l.host + ":" + std::to_string(l.port);
    if (l.fd >= 0) {
      name = "inherited socket";
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      ::getsockname(l.fd, reinterpret_cast<sockaddr*>(&address), &length);
      acceptor.assign(asio::generic::stream_protocol(address.ss_family, 0), l.fd, ec);
    } else if (!l.unix_path.empty()) {
      name = l.unix_path;
      ::unlink(l.unix_path.c_str());
      const asio::local::stream_protocol::endpoint endpoint(l.unix_path);
      acceptor.open(endpoint.protocol(), ec);
      const mode_t before = ::umask(0177);
      if (!ec) acceptor.bind(endpoint, ec);
      ::umask(before);
    } else {
      const auto address = asio::ip::make_address(l.host, ec);
      if (ec) return error(Code::kInvalidArgument, Subject::kConfig, "listen address " + name + ": " + ec.message());
      const asio::ip::tcp::endpoint endpoint(address, l.port);
      acceptor.open(endpoint.protocol(), ec);
      if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
      if (!ec) acceptor.bind(endpoint, ec);
    }
    if (!ec && l.fd < 0) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return error(Code::kIoError, Subject::kConfig, "cannot listen on " + name + ": " + ec.message());
    uint16_t port = 0;
    const auto local = acceptor.local_endpoint(ec);
    const auto* address = static_cast<const sockaddr*>(local.data());
    if (address->sa_family == AF_INET) port = ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
    if (address->sa_family == AF_INET6) port = ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
    ports_.push_back(port);
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  TlsContext tls() {
    std::lock_guard lock(tls_mutex_);
    return tls_;
  }

  asio::awaitable<void> accept_loop(size_t index) {
    size_t next = index;
    while (!stopped_) {
      Lane& lane = *lanes_[next++ % lanes_.size()];
      error_code ec;
      auto token = asio::redirect_error(asio::use_awaitable, ec);
      asio::generic::stream_protocol::endpoint peer;
      Socket socket = co_await acceptors_[index].async_accept(lane.io, peer, token);
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
      if (ec) {
        // Out of descriptors, most likely: let some go before the next try.
        asio::steady_timer pause(lanes_[0]->io, std::chrono::milliseconds(100));
        co_await pause.async_wait(token);
        continue;
      }
      if (connections_ >= options_.max_connections) continue;  // closes it
      adopt(lane, std::move(socket), options_.listeners[index].tls, peer);
    }
  }

  void adopt(Lane& lane, Socket socket, bool use_tls, const asio::generic::stream_protocol::endpoint& peer) {
    const int one = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto connection = std::make_shared<HttpConnection>(std::move(socket), use_tls ? tls() : nullptr, options_, handler_,
                                                       address_text(peer));
    ++connections_;
    asio::post(lane.io, [this, &lane, connection] {
      lane.connections.insert(connection);
      asio::co_spawn(lane.io, serve(lane, connection), asio::detached);
    });
  }

  static std::string address_text(const asio::generic::stream_protocol::endpoint& peer) {
    const auto* address = static_cast<const sockaddr*>(peer.data());
    char text[INET6_ADDRSTRLEN] = "local";
    if (address->sa_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
    } else if (address->sa_family == AF_INET6) {
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
    }
    return text;
  }

  asio::awaitable<void> serve(Lane& lane, std::shared_ptr<HttpConnection> connection) {
    co_await connection->run();
    lane.connections.erase(connection);
    --connections_;
  }

  asio::awaitable<void> watch_deadlines(Lane& lane) {
    asio::steady_timer timer(lane.io);
    while (!stopped_) {
      timer.expires_after(std::chrono::seconds(1));
      error_code ec;
      auto token = asio::redirect_error(asio::use_awaitable, ec);
      co_await timer.async_wait(token);
      const auto now = std::chrono::steady_clock::now();
      for (const auto& connection : lane.connections) connection->check_deadline(now);
    }
  }

  // Idle connections go at once, busy ones when they are done or the deadline has come.
  asio::awaitable<void> drain(Lane& lane, std::chrono::steady_clock::time_point deadline) {
    asio::steady_timer timer(lane.io);
    while (!lane.connections.empty()) {
      const bool over = std::chrono::steady_clock::now() >= deadline;
      for (const auto& connection : lane.connections) {
        connection->abandon();
        if (over || connection->idle()) connection->close();
      }
      timer.expires_after(std::chrono::milliseconds(20));
      error_code ec;
      auto token = asio::redirect_error(asio::use_awaitable, ec);
      co_await timer.async_wait(token);
    }
    lane.work.reset();
    lane.io.stop();
  }

  HttpServerOptions options_;
  HttpHandler handler_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Acceptor> acceptors_;
  std::vector<uint16_t> ports_;
  std::mutex tls_mutex_;
  TlsContext tls_;
  std::atomic<bool> stopped_{false};
  std::atomic<uint32_t> connections_{0};
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpServerOptions options, HttpHandler handler) {
  auto server = std::make_unique<Server>(std::move(options), std::move(handler));
  HF_CHECK(server->bind());
  return server;
}

}  // namespace holdfast
