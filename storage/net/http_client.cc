#include "storage/net/http_client.h"

#include <curl/curl.h>

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast {

namespace {

constexpr size_t kMaxIdleSessions = 8;
constexpr uint64_t kMaxErrorBytes = 64 << 10;
constexpr long kConnectDeadlineMs = 10'000;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)started;
}

// One exchange as the callbacks see it.
struct Exchange {
  const ClientRequest* request;
  const HttpClient::Sink* sink;  // null: the body is kept
  uint64_t max_body_bytes;
  CURL* handle;
  ClientResponse response;
  std::optional<Status> failed;
};

size_t on_header(char* data, size_t size, size_t n, void* user) {
  auto& e = *static_cast<Exchange*>(user);
  std::string_view line(data, size * n);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) e.response.headers = {};  // of the last answer: a proxy's or a 100's came before
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    e.response.headers.add(lower(line.substr(0, colon)), std::string(value));
  }
  return size * n;
}

size_t on_body(char* data, size_t size, size_t n, void* user) {
  auto& e = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * n);
  long status = 0;
  curl_easy_getinfo(e.handle, CURLINFO_RESPONSE_CODE, &status);
  const bool good = status / 100 == 2;
  if (good && e.sink != nullptr) {
    if (auto taken = (*e.sink)(piece); !taken) {
      e.failed = std::move(taken.error());
      return 0;
    }
    return piece.size();
  }
  const uint64_t limit = good ? e.max_body_bytes : kMaxErrorBytes;
  const uint64_t room = limit - e.response.body.size();
  if (piece.size() > room && good) {
    e.failed = Status(Code::kInvalidArgument, "the answer is larger than " + std::to_string(limit) + " bytes");
    return 0;
  }
  e.response.body.append(piece.substr(0, room));
  return piece.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->request->stop.stop_requested() ? 1 : 0;
}

Status status_of(CURLcode code, const char* detail, const std::string& url) {
  const std::string what = url + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Status(Code::kDeadlineExceeded, what);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return Status(Code::kPermissionDenied, what);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return Status(Code::kInvalidArgument, what);
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return Status(Code::kUnavailable, Subject::kConnection, what);
    case CURLE_ABORTED_BY_CALLBACK: return Status(Code::kUnavailable, url + ": stopped");
    default: return Status(Code::kUnavailable, what);
  }
}

}  // namespace

class HttpClient::Session {
 public:
  Session() : handle_(curl_easy_init()) {}
  ~Session() { curl_easy_cleanup(handle_); }
  Session(const Session&) = delete;

  Result<ClientResponse> perform(const HttpEndpoint& endpoint, const ClientRequest& request, const Sink* sink, uint64_t max_body_bytes) {
    if (handle_ == nullptr) return error(Code::kInternal, "libcurl gives no handle");
    Exchange e{&request, sink, max_body_bytes, handle_, {}, {}};
    curl_easy_reset(handle_);  // keeps the connections
    char detail[CURL_ERROR_SIZE] = "";
    set_reach(endpoint, request.target);
    set_exchange(request, e);
    curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, detail);
    curl_slist* headers = nullptr;
    for (const auto& [name, value] : request.headers.all()) headers = curl_slist_append(headers, (name + ": " + value).c_str());
    headers = curl_slist_append(headers, "Expect:");
    // libcurl would call a body a form.
    if (!request.headers.has("content-type")) headers = curl_slist_append(headers, "Content-Type:");
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(handle_);
    curl_slist_free_all(headers);
    curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, nullptr);
    if (e.failed) return std::unexpected(std::move(*e.failed));
    if (code != CURLE_OK) return std::unexpected(status_of(code, detail, endpoint.base_url));
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    e.response.status = static_cast<unsigned>(status);
    return std::move(e.response);
  }

 private:
  void set_blob(CURLoption option, const std::string& pem) {
    if (pem.empty()) return;
    curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
    curl_easy_setopt(handle_, option, &blob);
  }

  void set_reach(const HttpEndpoint& endpoint, const std::string& target) {
    std::string url = endpoint.base_url;
    if (!endpoint.tls_server_name.empty()) url = under_other_name(url, endpoint.tls_server_name);
    curl_easy_setopt(handle_, CURLOPT_URL, (url + target).c_str());
    curl_easy_setopt(handle_, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(handle_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set_blob(CURLOPT_CAINFO_BLOB, endpoint.ca_pem);
    set_blob(CURLOPT_SSLCERT_BLOB, endpoint.certificate_pem);
    set_blob(CURLOPT_SSLKEY_BLOB, endpoint.key_pem);
    if (!endpoint.proxy_url.empty()) curl_easy_setopt(handle_, CURLOPT_PROXY, endpoint.proxy_url.c_str());
  }

  // The URL with the name that the certificate bears; connections still go to the host that it had.
  std::string under_other_name(const std::string& url, const std::string& name) {
    const size_t begin = url.find("://") + 3;
    const size_t end = std::min(url.find('/', begin), url.size());
    const std::string authority = url.substr(begin, end - begin);
    const size_t bracket = authority.rfind(']');
    const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
    const std::string port = colon == std::string::npos ? "" : authority.substr(colon);
    connect_to_.reset(curl_slist_append(nullptr, ("::" + authority.substr(0, colon) + port).c_str()));
    curl_easy_setopt(handle_, CURLOPT_CONNECT_TO, connect_to_.get());
    return url.substr(0, begin) + name + port + url.substr(end);
  }

  void set_exchange(const ClientRequest& request, Exchange& e) {
    curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, kConnectDeadlineMs);
    curl_easy_setopt(handle_, CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
    curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.longest_silence.count()));
    curl_easy_setopt(handle_, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle_, CURLOPT_HEADERDATA, &e);
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &e);
    curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle_, CURLOPT_XFERINFODATA, &e);
    if (request.method == "GET") return;
    if (request.method == "HEAD") {
      curl_easy_setopt(handle_, CURLOPT_NOBODY, 1L);
      return;
    }
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  CURL* handle_;
  std::unique_ptr<curl_slist, FreeList> connect_to_;
};

HttpClient::HttpClient(HttpEndpoint endpoint) : endpoint_(std::move(endpoint)) { start_curl(); }
HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Session> HttpClient::take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Session>();
  auto session = std::move(idle_.back());
  idle_.pop_back();
  return session;
}

void HttpClient::give_back(std::unique_ptr<Session> session) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdleSessions) idle_.push_back(std::move(session));
}

Result<ClientResponse> HttpClient::perform(const ClientRequest& request, const Sink* sink, uint64_t max_body_bytes) {
  auto session = take();
  auto response = session->perform(endpoint_, request, sink, max_body_bytes);
  if (response) give_back(std::move(session));  // another's connection may be in any state
  return response;
}

Result<ClientResponse> HttpClient::send(const ClientRequest& request, uint64_t max_body_bytes) {
  return perform(request, nullptr, max_body_bytes);
}

Result<ClientResponse> HttpClient::stream(const ClientRequest& request, const Sink& sink) {
  return perform(request, &sink, 0);
}

}  // namespace holdfast
