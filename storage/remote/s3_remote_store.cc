#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include "storage/base/digest.h"
#include "storage/base/names.h"
#include "storage/base/times.h"
#include "storage/net/http_client.h"
#include "storage/net/sigv4.h"
#include "storage/remote/bandwidth.h"
#include "storage/remote/s3_answers.h"

namespace holdfast {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{250}, kLongestWait{8'000};
constexpr milliseconds kLongestCall{600'000};
constexpr int64_t kSkewThatMatters = 60'000;
constexpr uint64_t kMaxAnswerBytes = 64 << 20;
constexpr const char* kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Call {
  std::string method;
  std::string key;  // empty: the bucket
  Pairs query;
  Pairs headers;  // lower-case names
  std::string_view body;
  std::string md5 = {};  // of it, where it is known
  uint64_t max_answer_bytes = kMaxAnswerBytes;
  uint64_t expected_bytes = 0;  // of the answer, where it is large
};

std::string host_of(const std::string& url) {
  std::string host = url.substr(url.find("://") + 3);
  const std::string port = url.starts_with("https://") ? ":443" : ":80";
  if (host.ends_with(port)) host.erase(host.size() - port.size());  // it is not named in the Host header
  return host;
}

Status status_of(const RemotePlace& place, const Call& call, const ClientResponse& answer) {
  const ErrorAnswer said = error_answer(answer.body);
  const std::string what = place.url + "/" + place.bucket + (call.key.empty() ? "" : "/" + call.key) + ": ";
  const std::string words = said.code.empty() ? "HTTP status " + std::to_string(answer.status) : said.code + (said.message.empty() ? "" : ": " + said.message);
  const auto status = [&](Code code, Subject subject = Subject::kNone) { return Status(code, subject, what + words); };
  if (said.code == "NoSuchUpload") return status(Code::kNotFound, Subject::kUpload);
  if (said.code == "NoSuchBucket") return status(Code::kNotFound, Subject::kBucket);
  if (answer.status == 404) return status(Code::kNotFound, Subject::kKey);
  if (answer.status == 412 || answer.status == 409) return status(Code::kFailedPrecondition);
  if (answer.status == 401 || answer.status == 403) return status(Code::kPermissionDenied);
  if (answer.status == 507 || said.code.find("StorageFull") != std::string::npos || said.code == "QuotaExceeded") return status(Code::kOutOfSpace);
  if (answer.status == 501 || said.code == "NotImplemented") return status(Code::kUnimplemented);
  // Also where the answer began with 200, before the server knew better.
  if (answer.status >= 500 || answer.status == 429 || answer.status / 100 == 2) return status(Code::kUnavailable);
  return status(Code::kInvalidArgument);
}

class S3RemoteStore final : public RemoteStore {
 public:
  S3RemoteStore(RemotePlace place, Clock& clock, milliseconds retry_for)
      : place_(std::move(place)), clock_(clock), retry_for_(retry_for), host_(host_of(place_.url)), http_({place_.url, place_.ca_pem, "", "", "", ""}), bandwidth_(clock, place_.bytes_per_second) {}

  const RemotePlace& place() const override { return place_; }
  void limit_bandwidth(uint64_t bytes_per_second) override { bandwidth_.limit(bytes_per_second); }
  void stop() override { stop_.request_stop(); }
  uint64_t requests() const override { return requests_; }
  std::optional<int64_t> now_ms() const override { return answered_ ? std::optional(clock_.wall_ms() + ahead_ms_) : std::nullopt; }
  std::optional<int64_t> clock_ahead_ms() const override { return answered_ ? std::optional<int64_t>(ahead_ms_) : std::nullopt; }

  Result<RemoteObject> head(const std::string& key) override { return head(key, {}); }
  Result<RemoteObject> head_version(const std::string& key, const std::string& version_id) override { return head(key, {{"versionId", version_id}}); }

  Result<std::string> get(const std::string& key, uint64_t max_bytes) override { return get(key, {}, max_bytes); }
  Result<std::string> get_version(const std::string& key, const std::string& version_id, uint64_t max_bytes) override { return get(key, {{"versionId", version_id}}, max_bytes); }

  Result<std::string> read(const std::string& key, uint64_t offset_bytes, uint64_t size_bytes, const std::string& etag) override {
    if (size_bytes == 0) return std::string();
    Call call{.method = "GET", .key = key, .max_answer_bytes = size_bytes, .expected_bytes = size_bytes};
    call.headers.emplace_back("range", "bytes=" + std::to_string(offset_bytes) + "-" + std::to_string(offset_bytes + size_bytes - 1));
    if (!etag.empty()) call.headers.emplace_back("if-match", "\"" + etag + "\"");
    HF_TRY(ClientResponse r, send(call));
    if (r.body.size() != size_bytes) return lie(key, "it gives " + std::to_string(r.body.size()) + " bytes instead of " + std::to_string(size_bytes));
    return std::move(r.body);
  }

  Result<std::string> put(const RemotePut& request, std::string_view body) override {
    Call call{.method = "PUT", .key = request.key, .headers = headers_of(request), .body = body, .md5 = request.md5};
    if (request.only_new) call.headers.emplace_back("if-none-match", "*");
    if (!request.only_if_etag.empty()) call.headers.emplace_back("if-match", "\"" + request.only_if_etag + "\"");
    HF_TRY(const ClientResponse r, send(call));
    return etag_of(request.key, r);
  }

  Result<std::string> copy(const std::string& from, const std::string& to) override {
    HF_TRY(const ClientResponse r, send({.method = "PUT", .key = to, .headers = {{"x-amz-copy-source", percent_encode("/" + place_.bucket + "/" + from, true)}}}));
    HF_TRY(const std::string etag, named(child_answer(r.body, "CopyObjectResult", "ETag")));
    return unquoted(etag);
  }

  Result<RemotePage> list(const RemoteList& request) override {
    Call call{.method = "GET", .query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", request.prefix}, {"max-keys", std::to_string(request.max_keys)}}};
    if (!request.delimiter.empty()) call.query.emplace_back("delimiter", request.delimiter);
    if (!request.token.empty()) call.query.emplace_back("continuation-token", request.token);
    else if (!request.after.empty()) call.query.emplace_back("start-after", request.after);
    HF_TRY(const ClientResponse r, send(call));
    return named(list_answer(r.body));
  }

  Result<void> remove(const std::string& key) override {
    HF_TRY(const bool locks, keeps_locks());
    if (!locks) {
      const auto r = send({.method = "DELETE", .key = key});
      return r || r.error().code() == Code::kNotFound ? Result<void>() : std::unexpected(r.error());
    }
    HF_TRY(const auto all, versions_of(key, true));
    // The newest last, so that none of the others comes to light.
    for (auto v = all.rbegin(); v != all.rend(); ++v) HF_CHECK(remove_version(v->key, v->id));
    return {};
  }

  Result<void> lock(const std::string& key, int64_t until_ms) override {
    const std::string document = retention_document(until_ms);
    const std::string md5 = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(document))));
    const auto r = send({.method = "PUT", .key = key, .query = {{"retention", ""}}, .headers = {{"content-type", "application/xml"}}, .body = document, .md5 = md5});
    if (r) return {};
    if (r.error().code() != Code::kPermissionDenied) return std::unexpected(r.error());
    const auto there = head(key);  // nobody shortens a lock
    return there && there->locked_until_ms >= until_ms / 1000 * 1000 ? Result<void>() : std::unexpected(r.error());
  }

  Result<std::vector<RemoteVersion>> versions(const std::string& prefix) override { return versions_of(prefix, false); }

  Result<void> remove_version(const std::string& key, const std::string& version_id) override {
    const auto r = send({.method = "DELETE", .key = key, .query = {{"versionId", version_id}}});
    if (r || r.error().code() == Code::kNotFound) return {};
    if (r.error().code() != Code::kPermissionDenied) return std::unexpected(r.error());
    const auto there = head_version(key, version_id);
    return there && there->locked_until_ms > 0 ? is_locked(key, there->locked_until_ms) : std::unexpected(r.error());
  }

  Result<Pairs> tags(const std::string& key) override {
    HF_TRY(const ClientResponse r, send({.method = "GET", .key = key, .query = {{"tagging", ""}}}));
    return named(tags_answer(r.body));
  }

  Result<std::string> create_upload(const RemotePut& request) override {
    HF_TRY(const ClientResponse r, send({.method = "POST", .key = request.key, .query = {{"uploads", ""}}, .headers = headers_of(request)}));
    HF_TRY(std::string id, named(child_answer(r.body, "InitiateMultipartUploadResult", "UploadId")));
    if (id.empty()) return lie(request.key, "it gives no id for the upload");
    return id;
  }

  Result<RemotePart> put_part(const std::string& key, const std::string& upload_id, uint32_t number, std::string_view body, const std::string& md5 = "") override {
    HF_TRY(const ClientResponse r, send({.method = "PUT", .key = key, .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id}}, .body = body, .md5 = md5}));
    HF_TRY(std::string etag, etag_of(key, r));
    return RemotePart{number, std::move(etag), body.size()};
  }

  Result<std::string> complete_upload(const std::string& key, const std::string& upload_id, const std::vector<RemotePart>& parts) override {
    const std::string document = complete_document(parts);
    HF_TRY(const ClientResponse r, send({.method = "POST", .key = key, .query = {{"uploadId", upload_id}}, .headers = {{"content-type", "application/xml"}}, .body = document}));
    HF_TRY(const std::string etag, named(child_answer(r.body, "CompleteMultipartUploadResult", "ETag")));
    return unquoted(etag);
  }

  Result<void> abort_upload(const std::string& key, const std::string& upload_id) override {
    const auto r = send({.method = "DELETE", .key = key, .query = {{"uploadId", upload_id}}});
    if (!r && r.error().code() != Code::kNotFound) return std::unexpected(r.error());
    return {};
  }

  Result<std::vector<RemoteUpload>> uploads(const std::string& prefix) override {
    HF_TRY(const ClientResponse r, send({.method = "GET", .query = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}}}));
    return named(uploads_answer(r.body));
  }

  Result<std::vector<RemotePart>> parts(const std::string& key, const std::string& upload_id) override {
    std::vector<RemotePart> all;
    for (std::string after;;) {
      Call call{.method = "GET", .key = key, .query = {{"uploadId", upload_id}}};
      if (!after.empty()) call.query.emplace_back("part-number-marker", after);
      HF_TRY(const ClientResponse r, send(call));
      HF_TRY(PartsAnswer page, named(parts_answer(r.body)));
      std::move(page.parts.begin(), page.parts.end(), std::back_inserter(all));
      if (page.next.empty() || page.parts.empty()) return all;
      after = page.next;
    }
  }

  Result<std::string> versioning() override {
    HF_TRY(const ClientResponse r, send({.method = "GET", .query = {{"versioning", ""}}}));
    return named(child_answer(r.body, "VersioningConfiguration", "Status"));
  }

  Result<bool> object_lock() override {
    const auto r = send({.method = "GET", .query = {{"object-lock", ""}}});
    if (!r && (r.error().code() == Code::kNotFound || r.error().code() == Code::kInvalidArgument)) return false;
    if (!r) return std::unexpected(r.error());
    HF_TRY(const std::string enabled, named(child_answer(r->body, "ObjectLockConfiguration", "ObjectLockEnabled")));
    return enabled == "Enabled";
  }

 private:
  Result<RemoteObject> head(const std::string& key, const Pairs& query) {
    HF_TRY(const ClientResponse r, send({.method = "HEAD", .key = key, .query = query}));
    RemoteObject o;
    o.key = key;
    const std::string_view size = r.headers.get("content-length");
    if (std::from_chars(size.data(), size.data() + size.size(), o.size_bytes).ec != std::errc()) return lie(key, "it does not say how large it is");
    o.etag = unquoted(r.headers.get("etag"));
    o.modified_ms = parse_http_date(r.headers.get("last-modified")).value_or(0);
    if (r.headers.get("x-amz-object-lock-mode") == "COMPLIANCE") o.locked_until_ms = parse_iso8601(r.headers.get("x-amz-object-lock-retain-until-date")).value_or(0);
    return o;
  }

  Result<std::string> get(const std::string& key, const Pairs& query, uint64_t max_bytes) {
    HF_TRY(ClientResponse r, send({.method = "GET", .key = key, .query = query, .max_answer_bytes = max_bytes}));
    return std::move(r.body);
  }

  // Is Object Lock on, as far as this key may know?
  Result<bool> keeps_locks() {
    if (const int known = keeps_locks_; known >= 0) return known == 1;
    const auto on = object_lock();
    if (!on && on.error().code() != Code::kPermissionDenied && on.error().code() != Code::kUnimplemented) return std::unexpected(on.error());
    const bool locks = on && *on;
    keeps_locks_ = locks ? 1 : 0;
    return locks;
  }

  // `alone`: not of keys that only begin so.
  Result<std::vector<RemoteVersion>> versions_of(const std::string& prefix, bool alone) {
    std::vector<RemoteVersion> all;
    std::string key, id;
    for (;;) {
      Call call{.method = "GET", .query = {{"versions", ""}, {"encoding-type", "url"}, {"prefix", prefix}}};
      if (!key.empty()) call.query.emplace_back("key-marker", key);
      if (!id.empty()) call.query.emplace_back("version-id-marker", id);
      HF_TRY(const ClientResponse r, send(call));
      HF_TRY(VersionsAnswer page, named(versions_answer(r.body)));
      std::copy_if(page.versions.begin(), page.versions.end(), std::back_inserter(all), [&](const RemoteVersion& v) { return !alone || v.key == prefix; });
      if (page.next_key.empty() || (alone && page.next_key > prefix)) return all;
      if (std::pair(page.next_key, page.next_id) == std::pair(key, id)) return lie(prefix, "its pages of versions do not end");
      key = std::move(page.next_key);
      id = std::move(page.next_id);
    }
  }

  std::unexpected<Status> is_locked(const std::string& key, int64_t until_ms) const {
    return error(Code::kPermissionDenied, Subject::kLock, place_.url + "/" + place_.bucket + "/" + key + " is locked until " + rfc3339(until_ms));
  }

  static Pairs headers_of(const RemotePut& request) {
    Pairs headers{{"content-type", request.content_type}};
    std::string tags;
    for (const auto& [key, value] : request.tags) tags += (tags.empty() ? "" : "&") + percent_encode(key, false) + "=" + percent_encode(value, false);
    if (!tags.empty()) headers.emplace_back("x-amz-tagging", tags);
    if (request.locked_until_ms > 0) {
      headers.emplace_back("x-amz-object-lock-mode", "COMPLIANCE");
      headers.emplace_back("x-amz-object-lock-retain-until-date", rfc3339(request.locked_until_ms));
    }
    return headers;
  }

  std::unexpected<Status> lie(const std::string& key, const std::string& what) const {
    return error(Code::kCorrupt, place_.url + "/" + place_.bucket + "/" + key + ": " + what);
  }

  template <typename T>
  Result<T> named(Result<T> answer) const {
    if (answer) return answer;
    return std::unexpected(answer.error().with_context(place_.url + "/" + place_.bucket));
  }

  Result<std::string> etag_of(const std::string& key, const ClientResponse& r) const {
    std::string etag = unquoted(r.headers.get("etag"));
    if (etag.empty()) return lie(key, "it accepts the object and names no ETag");
    return etag;
  }

  // Empty where the MD5 is not known.
  static std::string content_md5(const Call& call) {
    const auto raw = from_hex(call.md5);
    return raw && raw->size() == 16 ? base64(*raw) : std::string();
  }

  // What is signed of a body.
  std::string payload_hash_of(const Call& call) const {
    if (call.body.empty()) return kEmptyHash;
    return tls_ && !content_md5(call).empty() ? "UNSIGNED-PAYLOAD" : sha256_hex(call.body);
  }

  ClientRequest signed_request(const Call& call, const std::string& payload_hash) const {
    ClientRequest request;
    request.method = call.method;
    request.large_body = call.body;
    request.most_bytes_per_second = bandwidth_.bytes_per_second();
    request.deadline = kLongestCall;
    // A slow link is given the time that it takes.
    if (request.most_bytes_per_second > 0) request.deadline += milliseconds((call.body.size() + call.expected_bytes) * 4'000 / request.most_bytes_per_second);
    request.longest_silence = std::chrono::seconds(30);
    request.stop = stop_.get_token();
    const std::string timestamp = compact_date(clock_.wall_ms() + offset_ms_);
    const SigningScope scope{timestamp.substr(0, 8), place_.region};
    CanonicalRequest canonical;
    canonical.method = call.method;
    canonical.path = "/" + place_.bucket + (call.key.empty() ? "" : "/" + call.key);
    canonical.query = call.query;
    canonical.payload_hash = payload_hash;
    canonical.headers = call.headers;
    if (std::string md5 = content_md5(call); !md5.empty()) canonical.headers.emplace_back("content-md5", std::move(md5));
    canonical.headers.emplace_back("host", host_);
    canonical.headers.emplace_back("x-amz-content-sha256", canonical.payload_hash);
    canonical.headers.emplace_back("x-amz-date", timestamp);
    std::sort(canonical.headers.begin(), canonical.headers.end());
    const std::string signature = request_signature(canonical, timestamp, scope, signing_key(place_.secret, scope));
    for (const auto& [name, value] : canonical.headers) {
      if (name != "host") request.headers.add(name, value);
    }
    request.headers.add("authorization", "AWS4-HMAC-SHA256 Credential=" + place_.access_key + "/" + scope.text() + ", SignedHeaders=" + signed_header_names(canonical) + ", Signature=" + signature);
    request.target = percent_encode(canonical.path, true);
    for (size_t i = 0; i < call.query.size(); ++i) request.target += (i == 0 ? "?" : "&") + percent_encode(call.query[i].first, false) + "=" + percent_encode(call.query[i].second, false);
    return request;
  }

  // The clock that the server goes by; false: it says nothing new.
  bool learn_clock(const ClientResponse& r) {
    const auto date_ms = parse_http_date(r.headers.get("date"));
    if (!date_ms) return false;
    const int64_t ahead_ms = *date_ms - clock_.wall_ms();
    ahead_ms_ = ahead_ms;
    answered_ = true;
    return std::abs(ahead_ms - offset_ms_) > kSkewThatMatters;
  }

  Result<ClientResponse> once(const Call& call, const std::string& payload_hash) {
    ++requests_;
    auto answer = http_.send(signed_request(call, payload_hash), call.max_answer_bytes);
    if (!answer) return std::unexpected(std::move(answer.error()));
    const bool skewed = learn_clock(*answer);
    // A success whose body is an error: S3 does so where it must answer before it knows.
    const bool hidden = answer->status / 100 == 2 && call.method != "GET" && !answer->body.empty() && !error_answer(answer->body).code.empty();
    if (answer->status / 100 == 2 && !hidden) return answer;
    // An answer to HEAD does not say why.
    const bool may_be_the_clock = answer->status == 403 && (call.method == "HEAD" || error_answer(answer->body).code == "RequestTimeTooSkewed");
    if (may_be_the_clock && skewed && offset_ms_ != ahead_ms_) {
      offset_ms_ = ahead_ms_.load();
      return error(Code::kUnavailable, place_.url + ": its clock differs by " + std::to_string(ahead_ms_ / 1000) + " s");
    }
    return std::unexpected(status_of(place_, call, *answer));
  }

  Result<ClientResponse> send(const Call& call) {
    pause(bandwidth_.reserve(call.body.size() + call.expected_bytes));
    const int64_t began_ms = clock_.monotonic_ms();
    const std::string payload_hash = payload_hash_of(call);
    for (milliseconds wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
      auto answer = once(call, payload_hash);
      if (answer || !answer.error().retryable() || stop_.stop_requested()) return answer;
      if (clock_.monotonic_ms() - began_ms + wait.count() > retry_for_.count()) return answer;
      pause(wait);
    }
  }

  // Until stop().
  void pause(milliseconds wait) {
    if (wait.count() == 0) return;
    std::unique_lock lock(mutex_);
    waiting_.wait_for(lock, stop_.get_token(), wait, [] { return false; });
  }

  const RemotePlace place_;
  Clock& clock_;
  const milliseconds retry_for_;
  const std::string host_;
  const bool tls_ = place_.url.starts_with("https://");
  HttpClient http_;
  Bandwidth bandwidth_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::atomic<uint64_t> requests_{0};
  std::atomic<bool> answered_{false};
  std::atomic<int64_t> ahead_ms_{0};
  std::atomic<int> keeps_locks_{-1};  // 1: yes, 0: no, else it was not asked yet
  std::atomic<int64_t> offset_ms_{0};  // added to this host's clock in signatures, once the server has asked for it
};

}  // namespace

Result<std::unique_ptr<RemoteStore>> open_remote_store(RemotePlace place, Clock& clock, milliseconds retry_for) {
  while (place.url.ends_with('/')) place.url.pop_back();
  const bool tls = place.url.starts_with("https://");
  const std::string host = tls || place.url.starts_with("http://") ? place.url.substr(place.url.find("://") + 3) : std::string();
  if (host.empty() || host.find_first_of("/?#@ ") != std::string::npos) {
    return error(Code::kInvalidArgument, "\"" + place.url + "\" is no endpoint: https://HOST or https://HOST:PORT, without a path");
  }
  HF_CHECK(check_bucket_name(place.bucket));
  if (place.access_key.empty() || place.secret.empty()) return error(Code::kInvalidArgument, "access key and secret key are needed");
  return std::make_unique<S3RemoteStore>(std::move(place), clock, retry_for);
}

}  // namespace holdfast
