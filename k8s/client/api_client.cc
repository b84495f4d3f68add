#include "k8s/client/api_client.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>

#include "k8s/client/api_error.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{8'000};
constexpr milliseconds kPageDeadline{600'000};
constexpr int kMaxExpired = 100;  // of one list
constexpr int kWatchSeconds = 60;

HttpEndpoint endpoint_of(const ClusterAccess& access, const Credential& credential) {
  HttpEndpoint e;
  e.base_url = access.server;
  e.ca_pem = access.ca_pem;
  e.tls_server_name = access.tls_server_name;
  e.proxy_url = access.proxy_url;
  e.certificate_pem = credential.certificate_pem;
  e.key_pem = credential.key_pem;
  return e;
}

// The API server is well and says so at once; its webhook is not, and may be for as long as nobody mends it.
bool is_failing_webhook(const ClientResponse& response) {
  return response.status == 500 && response.body.find("failed calling webhook") != std::string::npos;
}

Status answer_error(const std::string& what, const ClientResponse& response) { return api_error(what, response.status, object_or_empty(response.body)); }

bool stop_aware_sleep(std::stop_token stop, milliseconds wait) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, wait, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

// The tries of one call.
struct ApiClient::Try {
  SteadyClock::time_point end;
  milliseconds wait;
  bool repeatable;
};

ApiClient::ApiClient(const ClusterAccess& access, Clock& clock, ApiClientOptions options)
    : access_(access), options_(options), credentials_(access, clock) {}

std::shared_ptr<HttpClient> ApiClient::http_for(const Credential& credential) {
  std::lock_guard lock(mutex_);
  if (!http_ || http_generation_ != credential.generation) {
    http_ = std::make_shared<HttpClient>(endpoint_of(access_, credential));
    http_generation_ = credential.generation;
  }
  return http_;
}

ClientRequest ApiClient::request_to(const std::string& method, const std::string& target) const {
  ClientRequest request;
  request.method = method;
  request.target = target;
  request.deadline = options_.call_deadline;
  request.stop = stop_.get_token();
  request.headers.add("user-agent", "holdfast");
  return request;
}

Result<ClientResponse> ApiClient::with_credential(ClientRequest request, const Exchange& exchange) {
  const HttpHeaders plain = request.headers;
  for (int turn = 0;; ++turn) {
    HF_TRY(const Credential credential, credentials_.current());
    request.headers = plain;
    if (!credential.bearer_token.empty()) request.headers.add("authorization", "Bearer " + credential.bearer_token);
    auto response = exchange(*http_for(credential), request);
    const bool refused = response && response->status == 401;
    if (!refused || turn == 1 || !credentials_.reject()) return response;
  }
}

Result<ClientResponse> ApiClient::send(ClientRequest request, const HttpClient::Sink* sink) {
  return with_credential(std::move(request), [&](HttpClient& http, const ClientRequest& r) { return sink != nullptr ? http.stream(r, *sink) : http.send(r); });
}

Result<std::unique_ptr<WebSocket>> ApiClient::open_socket(const std::string& target, const std::string& protocols, milliseconds lifetime) {
  ClientRequest request = request_to("GET", target);
  request.deadline = lifetime;
  std::unique_ptr<WebSocket> socket;
  const auto upgrade = [&](HttpClient& http, const ClientRequest& r) -> Result<ClientResponse> {
    ClientResponse refusal;
    HF_TRY(socket, WebSocket::open(http.endpoint(), r, protocols, refusal));
    return refusal;
  };
  HF_TRY(const ClientResponse refusal, with_credential(std::move(request), upgrade));
  if (!socket) return std::unexpected(answer_error("GET " + target.substr(0, target.find('?')), refusal));
  return socket;
}

bool ApiClient::again(Try& attempt, const Result<ClientResponse>& answer) const {
  milliseconds wait = attempt.wait;
  if (answer) {
    const unsigned status = answer->status;
    const std::string_view after = answer->headers.get("retry-after");
    const bool asked = status == 429 || (status == 503 && !after.empty());
    if (is_failing_webhook(*answer)) return false;
    if (!asked && !(attempt.repeatable && (status == 500 || status == 502 || status == 503 || status == 504))) return false;
    int seconds = 0;
    if (std::from_chars(after.data(), after.data() + after.size(), seconds).ec == std::errc() && seconds >= 0 && seconds <= 3600) {
      wait = std::max(wait, milliseconds(seconds * 1000));
    }
  } else {
    const Status& s = answer.error();
    const bool unsent = s.is(Code::kUnavailable, Subject::kConnection);
    if (!unsent && !(attempt.repeatable && s.retryable())) return false;
  }
  if (SteadyClock::now() + wait > attempt.end) return false;
  attempt.wait = std::min(attempt.wait * 2, kLongestWait);
  return stop_aware_sleep(stop_.get_token(), wait);
}

Result<std::string> ApiClient::call(const std::string& method, const std::string& target, const std::string& body,
                                    const std::string& content_type, const std::string& accept) {
  ClientRequest request = request_to(method, target);
  request.headers.add("accept", accept);
  if (!body.empty()) request.headers.add("content-type", content_type);
  request.body = body;
  return exchange(std::move(request), method == "GET" || method == "PUT" || method == "DELETE" || content_type == kApplyPatch);
}

Result<void> ApiClient::create(const std::string& collection, const std::string& query, const std::string& object) {
  // Nobody reads warnings about unknown fields, nor the object that comes back: its metadata will do.
  ClientRequest request = request_to("POST", collection + "?fieldValidation=Ignore" + (query.empty() ? "" : "&" + query));
  request.headers.add("accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
  request.headers.add("content-type", "application/json");
  request.body = object;
  HF_CHECK(exchange(std::move(request), true));
  return {};
}

bool ApiClient::pause(std::chrono::milliseconds wait) const { return stop_aware_sleep(stop_.get_token(), wait); }

Result<std::string> ApiClient::exchange(ClientRequest request, bool repeatable) {
  Try attempt{SteadyClock::now() + options_.retry_for, options_.first_wait, repeatable};
  for (;;) {
    auto response = send(request, nullptr);
    if (response && response->status / 100 == 2) return std::move(response->body);
    if (again(attempt, response)) continue;
    if (!response) return std::unexpected(std::move(response.error()));
    return std::unexpected(answer_error(request.method + " " + request.target.substr(0, request.target.find('?')), *response));
  }
}

Result<void> ApiClient::probe() {
  const auto response = send(request_to("GET", "/version"), nullptr);
  if (!response) return std::unexpected(response.error());
  return {};
}

Result<void> ApiClient::watch(const std::string& collection, const std::string& resource_version, const EventLines::OnEvent& on_event) {
  ClientRequest request = request_to("GET", collection + "?watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(kWatchSeconds) +
                                                "&resourceVersion=" + percent_encode(resource_version, false));
  request.headers.add("accept", "application/json");
  // A server that is gone without a word is found out soon after it should have ended the watch.
  request.deadline = std::chrono::seconds(kWatchSeconds + 30);
  request.longest_silence = std::chrono::seconds(kWatchSeconds + 15);
  EventLines lines(on_event);
  const HttpClient::Sink sink = [&](std::string_view piece) { return lines.feed(piece); };
  HF_TRY(const ClientResponse response, send(std::move(request), &sink));
  if (response.status / 100 != 2) return std::unexpected(answer_error("watch " + collection, response));
  return {};
}

Result<ClientResponse> ApiClient::page(const std::string& target, const ListSplitter::OnItem& on_item, std::string& metadata) {
  ClientRequest request = request_to("GET", target);
  request.headers.add("accept", "application/json");
  request.deadline = kPageDeadline;
  Try attempt{SteadyClock::now() + options_.retry_for, options_.first_wait, true};
  for (;;) {
    std::optional<Status> refused;
    ListSplitter splitter([&](std::string_view item) -> Result<void> {
      auto taken = on_item(item);
      if (!taken) refused = taken.error();
      return taken;
    });
    const HttpClient::Sink sink = [&](std::string_view piece) { return splitter.feed(piece); };
    auto response = send(request, &sink);
    if (refused) return std::unexpected(std::move(*refused));
    if (response && response->status / 100 == 2) {
      if (auto whole = splitter.finish(); !whole) response = std::unexpected(std::move(whole.error()));
    }
    if (!again(attempt, response)) {
      metadata = splitter.metadata();
      return response;
    }
  }
}

Result<ListResult> ApiClient::list(const std::string& collection, const ListOptions& o, const ListSplitter::OnItem& on_item) {
  std::string base = collection + "?limit=" + std::to_string(options_.page_items);
  if (!o.label_selector.empty()) base += "&labelSelector=" + percent_encode(o.label_selector, false);
  if (!o.field_selector.empty()) base += "&fieldSelector=" + percent_encode(o.field_selector, false);
  ListResult result;
  std::string token;
  for (int expired = 0;;) {
    std::string metadata;
    HF_TRY(const ClientResponse response, page(token.empty() ? base : base + "&continue=" + percent_encode(token, false), on_item, metadata));
    if (response.status == 410 && !token.empty() && ++expired <= kMaxExpired) {
      // The snapshot behind the token is gone. The answer brings a token that goes on from here with the present one.
      const json::object status = object_or_empty(response.body);
      token = text_at(object_at(status, "metadata"), "continue");
      result.inconsistent = true;
      continue;
    }
    if (response.status / 100 != 2) return std::unexpected(answer_error("GET " + collection, response));
    const json::object m = object_or_empty(metadata);
    if (result.resource_version.empty()) result.resource_version = text_at(m, "resourceVersion");
    std::string next = text_at(m, "continue");
    if (next.empty()) return result;
    if (next == token) return error(Code::kCorrupt, "GET " + collection + ": the server gives the same page again and again");
    token = std::move(next);
  }
}

}  // namespace holdfast::k8s
