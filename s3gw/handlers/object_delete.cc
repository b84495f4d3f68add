// DeleteObject and DeleteObjects.
#include "s3gw/auth/policy.h"
#include "s3gw/handlers/request_parts.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {
constexpr size_t kMaxBatch = 1000;

std::string unquoted(std::string_view etag) {
  while (!etag.empty() && etag.front() == '"') etag.remove_prefix(1);
  while (!etag.empty() && etag.back() == '"') etag.remove_suffix(1);
  return std::string(etag);
}

// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
S3Result<void> read_delete_conditions(const Call& call, RemoveRequest& request) {
  if (const auto match = call.header("if-match"); !match.empty()) request.if_match = {unquoted(match)};
  if (const std::string size(call.header("x-amz-if-match-size")); !size.empty()) {
    HF_TRY(request.if_match_size_bytes, parse_number(size, "x-amz-if-match-size", 0, UINT64_MAX / 2));
  }
  if (const auto when = call.header("x-amz-if-match-last-modified-time"); !when.empty()) {
    request.if_match_modified_ms = parse_http_date(when);
    if (!request.if_match_modified_ms) {
      return bad_argument("x-amz-if-match-last-modified-time", when, "The time is not an HTTP date");
    }
  }
  return {};
}

}  // namespace

S3Result<HttpResponse> delete_object(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  std::vector<RemoveRequest> requests(1);
  requests[0].key = call.key();
  const auto ref = version_of(call);
  if (!ref && ref.error().code != "NoSuchVersion") return std::unexpected(ref.error());
  HttpResponse response;
  response.status = 204;
  if (!ref) {  // an id that no version here can have: it is gone already
    response.headers.add("x-amz-version-id", call.query.get("versionId"));
    return response;
  }
  requests[0].version = *ref;
  requests[0].bypass_governance = bypass_governance(call);
  HF_CHECK(read_delete_conditions(call, requests[0]));
  const bool named = !requests[0].version.latest();
  HF_TRY(const auto results, call.objects().remove(call.bucket(), std::move(requests)));
  if (!results[0]) return std::unexpected(S3Error(results[0].error()));
  const RemoveResult& r = *results[0];
  if (r.made_marker || r.removed_marker) response.headers.add("x-amz-delete-marker", "true");
  if (r.made_marker || (named && bucket.versioning != Versioning::kOff)) {
    response.headers.add("x-amz-version-id", r.removed ? version_id(r.seq, r.is_null) : call.query.get("versionId"));
  }
  return response;
}

S3Result<HttpResponse> delete_objects(const Call& call) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "Delete"));
  const bool quiet = child_text(root, "Quiet") == "true";
  struct Item {
    std::string key, version;
    S3Result<RemoveResult> result;
  };
  std::vector<Item> items;
  std::vector<RemoveRequest> requests;
  std::vector<size_t> asked;  // the item of each request
  for (const pugi::xml_node object : root.children("Object")) {
    Item item{object.child("Key").child_value(), child_text(object, "VersionId"), RemoveResult{}};
    if (item.key.empty()) return s3_fail("MalformedXML");
    RemoveRequest r;
    r.key = item.key;
    r.bypass_governance = bypass_governance(call);
    if (const std::string etag = child_text(object, "ETag"); !etag.empty()) r.if_match = {unquoted(etag)};
    S3Result<void> allowed = authorize(call.auth.user, Operation::kDeleteObject, call.bucket(), item.key, "");
    S3Result<VersionRef> ref = item.version.empty() ? S3Result<VersionRef>(VersionRef{}) : parse_version_id(item.version);
    if (!allowed) {
      item.result = std::unexpected(allowed.error());
    } else if (!ref && ref.error().code != "NoSuchVersion") {
      item.result = std::unexpected(ref.error());
    } else if (ref) {
      r.version = *ref;
      asked.push_back(items.size());
      requests.push_back(std::move(r));
    }
    items.push_back(std::move(item));
    if (items.size() > kMaxBatch) return s3_fail("MalformedXML");
  }
  if (items.empty()) return s3_fail("MalformedXML");
  HF_TRY(const auto results, call.objects().remove(call.bucket(), std::move(requests)));
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i]) items[asked[i]].result = *results[i];
    else items[asked[i]].result = std::unexpected(S3Error(results[i].error()));
  }
  XmlWriter xml;
  xml.root("DeleteResult");
  for (const Item& item : items) {
    if (item.result && quiet) continue;
    const char* element = item.result ? "Deleted" : "Error";
    xml.open(element);
    xml.text("Key", item.key);
    if (!item.version.empty()) xml.text("VersionId", item.version);
    if (!item.result) {
      xml.text("Code", item.result.error().code);
      xml.text("Message", item.result.error().message);
    } else if (item.result->made_marker || item.result->removed_marker) {
      xml.flag("DeleteMarker", true);
      xml.text("DeleteMarkerVersionId", version_id(item.result->seq, item.result->is_null));
    }
    xml.close(element);
  }
  xml.close("DeleteResult");
  return xml_response(xml.take());
}

}  // namespace holdfast::s3
