// The server's TLS, against OpenSSL as a client whose bytes arrive in pieces of any size.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "storage/net/http_server.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

namespace asio = boost::asio;

void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  EVP_PKEY* key = ::EVP_EC_gen("P-256");
  X509* certificate = ::X509_new();
  ::X509_set_pubkey(certificate, key);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate), 0);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
  ASSERT_GT(::X509_sign(certificate, key, ::EVP_sha256()), 0);
  BIO* out = ::BIO_new_file(certificate_path.c_str(), "w");
  ASSERT_EQ(::PEM_write_bio_X509(out, certificate), 1);
  ::BIO_free(out);
  out = ::BIO_new_file(key_path.c_str(), "w");
  ASSERT_EQ(::PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
  ::BIO_free(out);
  ::X509_free(certificate);
  ::EVP_PKEY_free(key);
}

// Gives back what it gets, in one piece or in several.
asio::awaitable<void> echo(HttpExchange& exchange) {
  Bytes body(exchange.request().content_length.value_or(0));
  MutableByteSpan into(body);
  Result<size_t> n = co_await exchange.read_body(into);
  if (!n || *n != body.size()) co_return;
  HttpResponse head;
  ByteSpan rest(body);
  ByteSpan first = rest.first(std::min<size_t>(rest.size(), 10));
  rest = rest.subspan(first.size());
  Result<void> sent = co_await exchange.start_response(std::move(head), body.size(), first);
  while (sent && !rest.empty()) {
    ByteSpan piece = rest.first(std::min<size_t>(rest.size(), 300'000));
    rest = rest.subspan(piece.size());
    sent = co_await exchange.write_body(piece);
  }
}

// A blocking client; throws where the connection ends. It sends what OpenSSL wants sent in pieces.
class Client {
 public:
  Client(uint16_t port, std::mt19937_64& random, int version, const char* suites = nullptr) : random_(random) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("no connection");
    context_ = ::SSL_CTX_new(::TLS_client_method());
    ::SSL_CTX_set_max_proto_version(context_, version);
    if (suites != nullptr) ::SSL_CTX_set_ciphersuites(context_, suites);
    ssl_ = ::SSL_new(context_);
    ::SSL_set_bio(ssl_, ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
    ::SSL_set_connect_state(ssl_);
  }
  ~Client() {
    ::SSL_free(ssl_);
    ::SSL_CTX_free(context_);
    ::close(fd_);
  }
  Client(const Client&) = delete;

  SSL* ssl() { return ssl_; }
  int fd() const { return fd_; }

  void handshake() {
    until_done([this] { return ::SSL_do_handshake(ssl_); });
  }
  void send(std::string_view bytes) {
    if (bytes.empty()) return;
    until_done([&] { return ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); });
  }
  std::string receive(size_t size) {
    std::string out(size, '\0');
    for (size_t at = 0; at < size;) {
      at += static_cast<size_t>(until_done([&] { return ::SSL_read(ssl_, out.data() + at, static_cast<int>(size - at)); }));
    }
    return out;
  }
  std::string post(const std::string& body) {
    send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    send(body);
    std::string head;
    while (!head.ends_with("\r\n\r\n")) head += receive(1);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
    return receive(body.size());
  }

 private:
  template <typename Operation>
  int until_done(const Operation& operation) {
    for (;;) {
      ::ERR_clear_error();  // those of other connections
      const int result = operation();
      flush();
      if (result > 0) return result;
      if (::SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) throw std::runtime_error("TLS failed");
      char bytes[20'000];
      const ssize_t n = ::recv(fd_, bytes, 1 + random_() % sizeof bytes, 0);
      if (n <= 0) throw std::runtime_error("the server ended the connection");
      ::BIO_write(::SSL_get_rbio(ssl_), bytes, static_cast<int>(n));
    }
  }
  void flush() {
    char* bytes = nullptr;
    size_t left = static_cast<size_t>(::BIO_get_mem_data(::SSL_get_wbio(ssl_), &bytes));
    while (left > 0) {
      const size_t most = random_() % 3 == 0 ? 7 : 40'000;
      const ssize_t n = ::send(fd_, bytes, std::min<size_t>(left, 1 + random_() % most), MSG_NOSIGNAL);
      if (n <= 0) throw std::runtime_error("the server takes nothing more");
      bytes += n;
      left -= static_cast<size_t>(n);
    }
    (void)BIO_reset(::SSL_get_wbio(ssl_));
  }

  std::mt19937_64& random_;
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

// The highest version that the client speaks.
class TlsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    write_certificate(directory_.path("c.pem"), directory_.path("k.pem"));
    HttpServerOptions options;
    options.threads = 1;
    options.certificate_file = directory_.path("c.pem");
    options.key_file = directory_.path("k.pem");
    options.listeners.push_back({.host = "127.0.0.1", .tls = true});
    auto made = HttpServer::create(options, echo);
    ASSERT_TRUE(made) << made.error().to_string();
    server_ = std::move(*made);
    server_->start();
  }
  uint16_t port() const { return server_->ports().front(); }

  TempDir directory_;
  std::unique_ptr<HttpServer> server_;
  const uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
};
INSTANTIATE_TEST_SUITE_P(Versions, TlsTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsTest, BodiesOfAnySizeComeBack) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  Client client(port(), random_, GetParam());
  client.handshake();
  EXPECT_EQ(::SSL_version(client.ssl()), GetParam());
  for (size_t size : {0ul, 1ul, 16'383ul, 16'384ul, 16'385ul, 65'535ul, 65'536ul, 65'537ul, 200'000ul, 3'000'000ul, 5ul}) {
    const std::string body = random_text(size, size);
    ASSERT_EQ(client.post(body) == body, true) << size;
  }
}

TEST_P(TlsTest, WhoBreaksOffOrSpeaksSomethingElseHarmsNobody) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  Client patient(port(), random_, GetParam());
  patient.handshake();
  {
    Client other(port(), random_, GetParam());  // no handshake
    ASSERT_EQ(::send(other.fd(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    char answer[100];
    while (::recv(other.fd(), answer, sizeof answer, 0) > 0) continue;  // until the server closes
  }
  {
    Client cut(port(), random_, GetParam());
    cut.handshake();
    cut.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf of it");
    ASSERT_EQ(::send(cut.fd(), "\x17\x03\x03\x40", 4, MSG_NOSIGNAL), 4);  // and half a record's head
  }
  {
    Client damaged(port(), random_, GetParam());
    damaged.handshake();
    const std::string record = std::string("\x17\x03\x03\x00\x40", 5) + std::string(64, 'x');
    ASSERT_EQ(::send(damaged.fd(), record.data(), record.size(), MSG_NOSIGNAL), static_cast<ssize_t>(record.size()));
    EXPECT_THROW((void)damaged.receive(1), std::runtime_error) << "it is refused";
  }
  EXPECT_EQ(patient.post("still here"), "still here");
}

TEST_P(TlsTest, AnEndThatIsSaidEndsTheConnection) {
  Client client(port(), random_, GetParam());
  client.handshake();
  EXPECT_EQ(client.post("one"), "one");
  ::SSL_shutdown(client.ssl());
  char* bytes = nullptr;
  const long n = ::BIO_get_mem_data(::SSL_get_wbio(client.ssl()), &bytes);
  ASSERT_EQ(::send(client.fd(), bytes, static_cast<size_t>(n), MSG_NOSIGNAL), n);
  char byte = 0;
  EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 0);
}

using Tls13Test = TlsTest;
INSTANTIATE_TEST_SUITE_P(Versions, Tls13Test, testing::Values(TLS1_3_VERSION));

TEST_P(Tls13Test, KeysMayChangeInsideABody) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  Client client(port(), random_, TLS1_3_VERSION);
  client.handshake();
  const std::string body = random_text(1, 100'000);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  for (size_t at = 0; at < body.size(); at += 20'000) {
    ASSERT_EQ(::SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    client.send(std::string_view(body).substr(at, 20'000));
  }
  std::string head;
  while (!head.ends_with("\r\n\r\n")) head += client.receive(1);
  EXPECT_EQ(client.receive(body.size()) == body, true);
  EXPECT_EQ(client.post("and after it"), "and after it");
}

TEST_P(Tls13Test, TheServerChoosesTheCipherUnlessTheClientHasNoAes) {
  Client usual(port(), random_, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
  usual.handshake();
  EXPECT_STREQ(::SSL_get_cipher(usual.ssl()), "TLS_AES_128_GCM_SHA256");
  Client small(port(), random_, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
  small.handshake();
  EXPECT_STREQ(::SSL_get_cipher(small.ssl()), "TLS_CHACHA20_POLY1305_SHA256");
}

}  // namespace
}  // namespace holdfast::test
