#include "s3gw/protocol/operation.h"

#include <algorithm>

namespace holdfast::s3 {

namespace {

struct Route {
  std::string_view method;
  std::string_view parameter;  // the query parameter that chooses it; empty: none
  Operation operation;
  std::string_view name;
};

using enum Operation;

// Looked through in order: the first whose method fits and whose parameter is there.
constexpr Route kBucketRoutes[] = {
    {"GET", "location", kGetBucketLocation, "GetBucketLocation"},
    {"GET", "versioning", kGetBucketVersioning, "GetBucketVersioning"},
    {"PUT", "versioning", kPutBucketVersioning, "PutBucketVersioning"},
    {"GET", "object-lock", kGetObjectLockConfiguration, "GetObjectLockConfiguration"},
    {"PUT", "object-lock", kPutObjectLockConfiguration, "PutObjectLockConfiguration"},
    {"GET", "tagging", kGetBucketTagging, "GetBucketTagging"},
    {"PUT", "tagging", kPutBucketTagging, "PutBucketTagging"},
    {"DELETE", "tagging", kDeleteBucketTagging, "DeleteBucketTagging"},
    {"GET", "acl", kGetBucketAcl, "GetBucketAcl"},
    {"GET", "policy", kGetBucketPolicy, "GetBucketPolicy"},
    {"GET", "policyStatus", kGetBucketPolicyStatus, "GetBucketPolicyStatus"},
    {"GET", "cors", kGetBucketCors, "GetBucketCors"},
    {"GET", "lifecycle", kGetBucketLifecycle, "GetBucketLifecycle"},
    {"GET", "encryption", kGetBucketEncryption, "GetBucketEncryption"},
    {"GET", "uploads", kListMultipartUploads, "ListMultipartUploads"},
    {"GET", "versions", kListObjectVersions, "ListObjectVersions"},
    {"GET", "list-type", kListObjectsV2, "ListObjectsV2"},
    {"POST", "delete", kDeleteObjects, "DeleteObjects"},
    {"GET", "", kListObjects, "ListObjects"},
    {"PUT", "", kCreateBucket, "CreateBucket"},
    {"HEAD", "", kHeadBucket, "HeadBucket"},
    {"DELETE", "", kDeleteBucket, "DeleteBucket"},
};

constexpr Route kObjectRoutes[] = {
    {"POST", "uploads", kCreateMultipartUpload, "CreateMultipartUpload"},
    {"POST", "uploadId", kCompleteMultipartUpload, "CompleteMultipartUpload"},
    {"PUT", "partNumber", kUploadPart, "UploadPart"},
    {"PUT", "uploadId", kUploadPart, "UploadPart"},
    {"DELETE", "uploadId", kAbortMultipartUpload, "AbortMultipartUpload"},
    {"GET", "uploadId", kListParts, "ListParts"},
    {"GET", "attributes", kGetObjectAttributes, "GetObjectAttributes"},
    {"GET", "tagging", kGetObjectTagging, "GetObjectTagging"},
    {"PUT", "tagging", kPutObjectTagging, "PutObjectTagging"},
    {"DELETE", "tagging", kDeleteObjectTagging, "DeleteObjectTagging"},
    {"GET", "retention", kGetObjectRetention, "GetObjectRetention"},
    {"PUT", "retention", kPutObjectRetention, "PutObjectRetention"},
    {"GET", "legal-hold", kGetObjectLegalHold, "GetObjectLegalHold"},
    {"PUT", "legal-hold", kPutObjectLegalHold, "PutObjectLegalHold"},
    {"GET", "acl", kGetObjectAcl, "GetObjectAcl"},
    {"PUT", "", kPutObject, "PutObject"},
    {"GET", "", kGetObject, "GetObject"},
    {"HEAD", "", kHeadObject, "HeadObject"},
    {"DELETE", "", kDeleteObject, "DeleteObject"},
};

// Sub-resources of S3 that make a request another one: without support the answer must not be that of the plain
// request.
constexpr std::string_view kSubresources[] = {
    "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
    "legal-hold", "lifecycle", "location", "logging", "metadataTable", "metrics", "notification", "object-lock",
    "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore",
    "retention", "select", "tagging", "torrent", "uploads", "versioning", "website", "session", "renameObject"};

// Requests of the right form for another resource.
S3Result<void> check_combination(const HttpRequest& request, const Query& query) {
  if (request.method == "GET" && query.has("uploads")) {
    return s3_fail("InvalidRequest", "Key is not expected for the GET method ?uploads subresource");
  }
  if (request.method == "GET" && query.has("versions")) {
    return s3_fail("InvalidRequest", "There is no such thing as the ?versions sub-resource for a key");
  }
  if (request.method != "PUT") return {};
  if (query.has("partNumber") && !query.has("uploadId")) {
    return bad_argument("partNumber", query.get("partNumber"), "This operation does not accept partNumber without uploadId");
  }
  if (query.has("uploadId") && !query.has("partNumber")) {
    return s3_fail_with({{"Method", request.method}, {"ResourceType", "UPLOAD"}}, "MethodNotAllowed");
  }
  return {};
}

template <size_t N>
S3Result<Operation> look_up(const Route (&routes)[N], const HttpRequest& request, const Query& query) {
  const bool subresource = std::any_of(std::begin(kSubresources), std::end(kSubresources),
                                       [&](std::string_view name) { return query.has(name); });
  bool known_parameter = false;
  for (const Route& r : routes) {
    if (r.parameter.empty() ? subresource : !query.has(r.parameter)) continue;
    known_parameter = known_parameter || !r.parameter.empty();
    if (r.method == request.method) return r.operation;
  }
  if (subresource) return s3_fail("NotImplemented");
  return s3_fail("MethodNotAllowed");
}

}  // namespace

std::string_view operation_name(Operation operation) {
  if (operation == kListBuckets) return "ListBuckets";
  if (operation == kCopyObject) return "CopyObject";
  if (operation == kUploadPartCopy) return "UploadPartCopy";
  for (const Route& r : kBucketRoutes) {
    if (r.operation == operation) return r.name;
  }
  for (const Route& r : kObjectRoutes) {
    if (r.operation == operation) return r.name;
  }
  return "Unknown";
}

S3Result<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    std::string raw_value(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    std::replace(raw_value.begin(), raw_value.end(), '+', ' ');
    auto name = percent_decode(item.substr(0, equals));
    auto value = percent_decode(raw_value);
    if (!name || !value) return s3_fail("InvalidURI");
    query.all_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

bool Query::has(std::string_view name) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& p) { return p.first == name; });
}

std::string Query::get(std::string_view name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& p) { return p.first == name; });
  return found == all_.end() ? std::string() : found->second;
}

S3Result<Target> parse_target(const HttpRequest& request, const std::vector<std::string>& domains) {
  std::string_view path = request.path();
  if (!path.starts_with('/')) return s3_fail("InvalidURI");
  path.remove_prefix(1);
  auto decoded = percent_decode(path);
  if (!decoded) return s3_fail("InvalidURI");
  std::string_view host = request.headers.get("host");
  host = host.substr(0, host.find(':'));
  for (const std::string& domain : domains) {
    if (host.size() > domain.size() + 1 && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.') {
      return Target{std::string(host.substr(0, host.size() - domain.size() - 1)), std::move(*decoded)};
    }
  }
  const size_t slash = decoded->find('/');
  Target target;
  target.bucket = decoded->substr(0, slash);
  if (slash != std::string::npos) target.key = decoded->substr(slash + 1);
  if (target.bucket.empty() && !target.key.empty()) return s3_fail("InvalidURI");
  return target;
}

S3Result<Operation> route(const HttpRequest& request, const Target& target, const Query& query) {
  if (target.bucket.empty()) {
    if (request.method == "GET" || request.method == "HEAD") return kListBuckets;
    return s3_fail_with({{"Method", request.method}, {"ResourceType", "SERVICE"}}, "MethodNotAllowed");
  }
  if (target.key.empty()) {
    if (request.method == "POST" && !query.has("delete")) return s3_fail("NotImplemented");
    return look_up(kBucketRoutes, request, query);
  }
  HF_CHECK(check_combination(request, query));
  HF_TRY(const Operation operation, look_up(kObjectRoutes, request, query));
  const bool copies = request.headers.has("x-amz-copy-source");
  if (copies && operation == kPutObject) return kCopyObject;
  if (copies && operation == kUploadPart) return kUploadPartCopy;
  if (copies && request.method != "PUT") {
    return bad_argument("x-amz-copy-source", request.headers.get("x-amz-copy-source"),
                        "You can only specify a copy source header for copy requests.");
  }
  return operation;
}

}  // namespace holdfast::s3
