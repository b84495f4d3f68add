// The WebSocket client against a server of Beast's: what it says, refuses, leaves out and breaks off.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <future>
#include <thread>

#include "storage/net/web_socket.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using namespace std::chrono_literals;
using Socket = asio::ip::tcp::socket;
using Server = websocket::stream<Socket>;

// Takes one connection and treats it so.
class OneConnection {
 public:
  explicit OneConnection(std::function<void(Socket)> treat)
      : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), thread_([this, treat = std::move(treat)] { treat(acceptor_.accept()); }) {}
  HttpEndpoint endpoint(const std::string& path = {}) const {
    HttpEndpoint e;
    e.base_url = "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + path;
    return e;
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::jthread thread_;
};

ClientRequest request(std::chrono::milliseconds deadline = 10s) {
  ClientRequest r;
  r.target = "/exec?x=1";
  r.headers.add("authorization", "Bearer t");
  r.deadline = deadline;
  return r;
}

// Upgrades, and chooses "two".
Server accepted(Socket socket, http::request<http::string_body>* seen = nullptr) {
  Server server(std::move(socket));
  http::request<http::string_body> upgrade;
  boost::beast::flat_buffer buffer;
  http::read(server.next_layer(), buffer, upgrade);
  server.set_option(websocket::stream_base::decorator([](websocket::response_type& r) { r.set(http::field::sec_websocket_protocol, "two"); }));
  server.accept(upgrade);
  server.binary(true);
  if (seen != nullptr) *seen = upgrade;
  return server;
}

TEST(WebSocket, ReadsWhatTheServerSaysUntilItCloses) {
  http::request<http::string_body> seen;
  std::string long_text(300'000, 'x');
  OneConnection connection([&](Socket socket) {
    Server server = accepted(std::move(socket), &seen);
    server.write(asio::buffer(std::string("one")));
    server.ping({});
    server.auto_fragment(true);
    server.write(asio::buffer(long_text));
    boost::system::error_code ec;
    server.close(websocket::close_code::normal, ec);
  });
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint("/base"), request(), "one, two", refusal);
  ASSERT_TRUE(socket) << socket.error().message();
  ASSERT_TRUE(*socket);
  EXPECT_EQ("two", (*socket)->protocol());
  EXPECT_EQ("one", (*socket)->read().value().value());
  EXPECT_EQ(long_text, (*socket)->read().value().value());
  EXPECT_FALSE((*socket)->read().value());
  EXPECT_EQ("/base/exec?x=1", std::string(seen.target()));
  EXPECT_EQ("one, two", std::string(seen[http::field::sec_websocket_protocol]));
  EXPECT_EQ("Bearer t", std::string(seen[http::field::authorization]));
}

TEST(WebSocket, GoesThroughAProxy) {
  http::request<http::empty_body> asked;
  OneConnection proxy([&](Socket socket) {
    boost::beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    http::read_header(socket, buffer, parser);
    asked = parser.get();
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\n\r\n")));
    Server server = accepted(std::move(socket));
    server.write(asio::buffer(std::string("through")));
  });
  HttpEndpoint endpoint;
  endpoint.base_url = "http://cluster.example:6443";
  endpoint.proxy_url = proxy.endpoint().base_url;
  ClientResponse refusal;
  const auto socket = WebSocket::open(endpoint, request(), "two", refusal);
  ASSERT_TRUE(socket) << socket.error().message();
  EXPECT_EQ("through", (*socket)->read().value().value());
  EXPECT_EQ("CONNECT cluster.example:6443", std::string(asked.method_string()) + " " + std::string(asked.target()));
  EXPECT_EQ("", std::string(asked[http::field::authorization]));  // which is the server's, not the proxy's
}

TEST(WebSocket, ARefusalIsHandedOn) {
  OneConnection connection([](Socket socket) {
    http::request<http::empty_body> upgrade;
    boost::beast::flat_buffer buffer;
    http::read(socket, buffer, upgrade);
    http::response<http::string_body> answer(http::status::forbidden, 11, R"({"message":"no exec here"})");
    answer.set("Retry-After", "7");
    answer.prepare_payload();
    http::write(socket, answer);
  });
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint(), request(), "one", refusal);
  ASSERT_TRUE(socket) << socket.error().message();
  EXPECT_FALSE(*socket);
  EXPECT_EQ(403u, refusal.status);
  EXPECT_EQ(R"({"message":"no exec here"})", refusal.body);
  EXPECT_EQ("7", refusal.headers.get("retry-after"));
}

// What read() ends with on such a server.
Status failure(std::function<void(Socket)> treat, const ClientRequest& r) {
  OneConnection connection(std::move(treat));
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint(), r, "one, two", refusal);
  if (!socket) return socket.error();
  const auto message = (*socket)->read();
  return message ? Status(Code::kInternal, "it was read") : message.error();
}

TEST(WebSocket, NothingIsWaitedForLongerThanItsDeadline) {
  std::promise<void> over;
  const auto silent = [&over](Socket socket) {
    Server server = accepted(std::move(socket));
    over.get_future().wait();
  };
  OneConnection connection(silent);
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint(), request(1500ms), "one", refusal);
  ASSERT_TRUE(socket);
  EXPECT_EQ(Code::kDeadlineExceeded, (*socket)->read().error().code());
  over.set_value();
}

TEST(WebSocket, AServerThatNeverUpgrades) {
  std::promise<void> over;
  OneConnection connection([&over](const Socket&) { over.get_future().wait(); });
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint(), request(1500ms), "one", refusal);
  EXPECT_EQ(Code::kDeadlineExceeded, socket.error().code()) << socket.error().message();
  over.set_value();
}

TEST(WebSocket, AStopEndsTheWaiting) {
  std::promise<void> over;
  OneConnection connection([&over](Socket socket) {
    Server server = accepted(std::move(socket));
    over.get_future().wait();
  });
  std::stop_source stop;
  ClientRequest r = request(60s);
  r.stop = stop.get_token();
  ClientResponse refusal;
  const auto socket = WebSocket::open(connection.endpoint(), r, "one", refusal);
  ASSERT_TRUE(socket);
  stop.request_stop();
  EXPECT_EQ(Code::kUnavailable, (*socket)->read().error().code());
  over.set_value();
}

TEST(WebSocket, WhatBreaksOffOrBreaksTheRulesIsAnError) {
  const auto cut = [](Socket socket) { Server server = accepted(std::move(socket)); };
  EXPECT_EQ(Code::kUnavailable, failure(cut, request()).code());
  const auto huge = [](Socket socket) {
    Server server = accepted(std::move(socket));
    boost::system::error_code ignored;  // the client leaves in the middle
    server.write(asio::buffer(std::string((1 << 20) + 1, 'x')), ignored);
  };
  EXPECT_EQ(Code::kInvalidArgument, failure(huge, request()).code());
  const auto masked = [](Socket socket) {  // servers must not mask (RFC 6455 5.1)
    Server server = accepted(std::move(socket));
    const unsigned char frame[] = {0x82, 0x81, 1, 2, 3, 4, 'x'};
    asio::write(server.next_layer(), asio::buffer(frame));
  };
  EXPECT_EQ(Code::kUnavailable, failure(masked, request()).code());
  const auto nonsense = [](Socket socket) { asio::write(socket, asio::buffer(std::string("SSH-2.0-server\r\n"))); };
  EXPECT_EQ(Code::kUnavailable, failure(nonsense, request()).code());
}

TEST(WebSocket, NobodyThere) {
  uint16_t port = 0;
  {
    asio::io_context context;
    port = asio::ip::tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
  }
  HttpEndpoint endpoint;
  endpoint.base_url = "http://127.0.0.1:" + std::to_string(port);
  ClientResponse refusal;
  const auto socket = WebSocket::open(endpoint, request(), "one", refusal);
  EXPECT_TRUE(socket.error().is(Code::kUnavailable, Subject::kConnection)) << socket.error().message();
}

}  // namespace
}  // namespace holdfast
