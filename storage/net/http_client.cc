#include "storage/net/http_client.h"

#include "storage/base/text.h"
#include "storage/net/curl_handle.h"

namespace holdfast {

namespace {

constexpr size_t kMaxIdleSessions = 32;
constexpr uint64_t kMaxErrorBytes = 64 << 10;
constexpr size_t kLargeBodyBytes = 256 << 10;
constexpr long kLargeUploadBuffer = 512 << 10;  // what libcurl gives the kernel at a time: fewer calls

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

}  // namespace

class HttpClient::Session {
 public:
  Result<ClientResponse> perform(const HttpEndpoint& endpoint, const ClientRequest& request, const Sink* sink, uint64_t max_body_bytes) {
    if (curl_.get() == nullptr) return error(Code::kInternal, "libcurl gives no handle");
    Exchange e{&request, sink, max_body_bytes, curl_.get(), {}, {}};
    CURL* const handle = curl_.get();
    char detail[CURL_ERROR_SIZE] = "";
    curl_.reset();
    curl_.set_reach(endpoint, request.target);
    set_exchange(request, e);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    curl_slist* headers = nullptr;
    for (const auto& [name, value] : request.headers.all()) headers = curl_slist_append(headers, (name + ": " + value).c_str());
    headers = curl_slist_append(headers, "Expect:");
    // libcurl would call a body a form.
    if (!request.headers.has("content-type")) headers = curl_slist_append(headers, "Content-Type:");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    const CURLcode code = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    if (e.failed) return std::unexpected(std::move(*e.failed));
    if (code != CURLE_OK) return std::unexpected(status_of_curl(code, detail, endpoint.base_url));
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    e.response.status = static_cast<unsigned>(status);
    return std::move(e.response);
  }

 private:
  void set_exchange(const ClientRequest& request, Exchange& e) {
    CURL* const handle = curl_.get();
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.longest_silence.count()));
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(handle, CURLOPT_MAX_SEND_SPEED_LARGE, static_cast<curl_off_t>(request.most_bytes_per_second));
    curl_easy_setopt(handle, CURLOPT_MAX_RECV_SPEED_LARGE, static_cast<curl_off_t>(request.most_bytes_per_second));
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &e);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &e);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &e);
    if (request.method == "GET") return;
    if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
      return;
    }
    const std::string_view body = request.large_body.empty() ? std::string_view(request.body) : request.large_body;
    if (body.size() > kLargeBodyBytes) curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, kLargeUploadBuffer);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  CurlHandle curl_;
};

HttpClient::HttpClient(HttpEndpoint endpoint) : endpoint_(std::move(endpoint)) {}
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
