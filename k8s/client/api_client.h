// Calls to one API server: retried where that is safe, throttled when it says so.
#pragma once

#include <stop_token>

#include "k8s/client/api_resource.h"
#include "k8s/client/credentials.h"
#include "k8s/client/event_lines.h"
#include "k8s/client/list_splitter.h"
#include "storage/net/web_socket.h"

namespace holdfast::k8s {

struct ApiClientOptions {
  std::chrono::milliseconds call_deadline{60'000};   // of one try
  std::chrono::milliseconds retry_for{60'000};       // all tries together
  std::chrono::milliseconds first_wait{250};         // doubled up to 8 s, unless Retry-After says otherwise
  uint32_t page_items = 500;
};

struct ListOptions {
  std::string label_selector, field_selector;
};

// What a list says about itself.
struct ListResult {
  std::string resource_version;
  bool inconsistent = false;  // its snapshot expired on the way: later pages are newer than earlier ones
};

// Patch types by their media type.
inline constexpr const char* kMergePatch = "application/merge-patch+json";
inline constexpr const char* kJsonPatch = "application/json-patch+json";
inline constexpr const char* kStrategicPatch = "application/strategic-merge-patch+json";
inline constexpr const char* kApplyPatch = "application/apply-patch+yaml";

// Thread-safe; calls block. Errors carry the server's own words: kNotFound 404, kAlreadyExists, kFailedPrecondition for
// a conflict (409) and, with Subject::kVersion, for an expired version (410), kPermissionDenied 401 and 403, kInvalidArgument 400 and 422,
// kUnavailable for 429, 5xx and a server that is not reached, kDeadlineExceeded.
class ApiClient {
 public:
  ApiClient(const ClusterAccess& access, Clock& clock, ApiClientOptions options = {});

  // The body of the answer. Only GET, PUT, DELETE and apply are tried again after a failure that leaves open whether
  // the server acted; everything is after 429.
  Result<std::string> call(const std::string& method, const std::string& target, const std::string& body = {},
                           const std::string& content_type = "application/json", const std::string& accept = "application/json");
  // POSTs an object that bears its name, so that it may be tried again after any failure: where an earlier try had
  // reached the server after all, the answer is kAlreadyExists. `query`: "dryRun=All", or empty.
  Result<void> create(const std::string& collection, const std::string& query, const std::string& object);
  // Waits; false: stop() was called.
  bool pause(std::chrono::milliseconds wait) const;
  // Does it answer right now, to one try?
  Result<void> probe();
  Result<std::string> get(const std::string& target) { return call("GET", target); }
  // Every object of a collection, page by page, raw. An error of `on_item` ends the list and is returned. After a
  // failure in mid-page the page comes again: `on_item` may then see objects twice.
  Result<ListResult> list(const std::string& collection, const ListOptions& options, const ListSplitter::OnItem& on_item);

  // Follows a collection from `resource_version` on, until the server ends it, which it does after a minute: then go on
  // from the last version seen. Tries once. kFailedPrecondition with Subject::kVersion: list again.
  Result<void> watch(const std::string& collection, const std::string& resource_version, const EventLines::OnEvent& on_event);

  // A WebSocket that asks for one of `protocols`. Tries once; `lifetime` is that of the socket.
  Result<std::unique_ptr<WebSocket>> open_socket(const std::string& target, const std::string& protocols, std::chrono::milliseconds lifetime);

  // Ends running calls and refuses further ones.
  void stop() { stop_.request_stop(); }
  bool stopped() const { return stop_.stop_requested(); }
  const std::string& server() const { return access_.server; }

 private:
  struct Try;
  ClientRequest request_to(const std::string& method, const std::string& target) const;
  // Calls `exchange`, twice where the first credential had expired.
  using Exchange = std::function<Result<ClientResponse>(HttpClient&, const ClientRequest&)>;
  Result<ClientResponse> with_credential(ClientRequest request, const Exchange& exchange);
  Result<ClientResponse> send(ClientRequest request, const HttpClient::Sink* sink);
  // Decides about another try and waits for it. False: this answer is the last.
  bool again(Try& attempt, const Result<ClientResponse>& answer) const;
  Result<std::string> exchange(ClientRequest request, bool repeatable);
  Result<ClientResponse> page(const std::string& target, const ListSplitter::OnItem& on_item, std::string& metadata);
  std::shared_ptr<HttpClient> http_for(const Credential& credential);

  const ClusterAccess access_;
  const ApiClientOptions options_;
  Credentials credentials_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::shared_ptr<HttpClient> http_;
  uint64_t http_generation_ = 0;
};

}  // namespace holdfast::k8s
