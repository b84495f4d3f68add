// Tags, retention and legal hold of objects; GetObjectAttributes.
#include <set>
#include <sstream>

#include "s3gw/handlers/request_parts.h"
#include "s3gw/handlers/tagging.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

// The version that a request means, as an object that is no delete marker.
S3Result<ObjectInfo> object_info(const Call& call) {
  HF_TRY(const VersionRef ref, version_of(call));
  HF_TRY(const auto reader, call.objects().get(call.bucket(), call.key(), ref));
  if (!reader->info().is_marker) return reader->info();
  if (ref.latest()) return s3_fail("NoSuchKey");
  return s3_fail("MethodNotAllowed");
}

S3Result<HttpResponse> change(const Call& call, AttributeChange change, unsigned status) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_TRY(const VersionRef ref, version_of(call));
  HF_TRY(const ObjectInfo info, call.objects().change_attributes(call.bucket(), call.key(), ref, std::move(change)));
  HttpResponse response;
  response.status = status;
  add_version_header(info, bucket, response.headers);
  return response;
}

S3Result<void> need_lock(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  if (!bucket.lock_enabled) return s3_fail("InvalidRequest", "Bucket is missing Object Lock Configuration");
  return {};
}

}  // namespace

S3Result<HttpResponse> get_object_tagging(const Call& call) {
  HF_TRY(const ObjectInfo info, object_info(call));
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HttpResponse response = xml_response(tagging_document(info.attributes.tags));
  add_version_header(info, bucket, response.headers);
  return response;
}

S3Result<HttpResponse> put_object_tagging(const Call& call) {
  AttributeChange c;
  HF_TRY(c.tags, parse_tagging_document(call.body, kMaxObjectTags));
  return change(call, std::move(c), 200);
}

S3Result<HttpResponse> delete_object_tagging(const Call& call) {
  AttributeChange c;
  c.tags = Pairs{};
  return change(call, std::move(c), 204);
}

S3Result<HttpResponse> get_object_retention(const Call& call) {
  HF_TRY(const ObjectInfo info, object_info(call));
  HF_CHECK(need_lock(call));
  const Retention& r = info.attributes.retention;
  if (r.mode == LockMode::kNone) return s3_fail("NoSuchObjectLockConfiguration");
  XmlWriter xml;
  xml.root("Retention");
  xml.text("Mode", r.mode == LockMode::kCompliance ? "COMPLIANCE" : "GOVERNANCE");
  xml.text("RetainUntilDate", iso8601(r.until_ms));
  xml.close("Retention");
  return xml_response(xml.take());
}

S3Result<HttpResponse> put_object_retention(const Call& call) {
  HF_CHECK(need_lock(call));
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "Retention"));
  AttributeChange c;
  c.bypass_governance = bypass_governance(call);
  const std::string mode = child_text(root, "Mode"), until = child_text(root, "RetainUntilDate");
  if (mode.empty() && until.empty()) {
    c.retention = Retention{};  // taken away, where that is allowed
  } else {
    HF_TRY(c.retention, parse_retention(mode, until, call.services->clock->wall_ms()));
  }
  return change(call, std::move(c), 200);
}

S3Result<HttpResponse> get_object_legal_hold(const Call& call) {
  HF_TRY(const ObjectInfo info, object_info(call));
  HF_CHECK(need_lock(call));
  XmlWriter xml;
  xml.root("LegalHold");
  xml.text("Status", info.attributes.legal_hold ? "ON" : "OFF");
  xml.close("LegalHold");
  return xml_response(xml.take());
}

S3Result<HttpResponse> put_object_legal_hold(const Call& call) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "LegalHold"));
  const std::string status = child_text(root, "Status");
  if (status != "ON" && status != "OFF") return s3_fail("MalformedXML");
  HF_CHECK(need_lock(call));
  AttributeChange c;
  c.legal_hold = status == "ON";
  return change(call, std::move(c), 200);
}

namespace {

// Clients send one header with a list, or one header a name.
S3Result<std::set<std::string>> wanted_attributes(const Call& call) {
  constexpr std::string_view kHeader = "x-amz-object-attributes";
  static const std::set<std::string> kKnown = {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"};
  std::set<std::string> wanted;
  for (const auto& [name, value] : call.http->headers.all()) {
    if (name != kHeader) continue;
    std::istringstream list(value);
    for (std::string item; std::getline(list, item, ',');) {
      std::erase(item, ' ');
      if (item.empty()) continue;
      if (!kKnown.contains(item)) return bad_argument(kHeader, item, "Invalid attribute name specified.");
      wanted.insert(std::move(item));
    }
  }
  if (wanted.empty()) {
    return s3_fail("InvalidRequest", "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty");
  }
  return wanted;
}

}  // namespace

S3Result<HttpResponse> get_object_attributes(const Call& call) {
  HF_TRY(const std::set<std::string> wanted, wanted_attributes(call));
  HF_TRY(const ObjectInfo info, object_info(call));
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  const auto wants = [&](const char* name) { return wanted.contains(name); };
  XmlWriter xml;
  xml.root("GetObjectAttributesResponse");
  if (wants("ETag")) xml.text("ETag", info.etag);
  if (wants("Checksum") && info.checksum.algorithm != ChecksumAlgorithm::kNone) {
    xml.open("Checksum");
    xml.text(checksum_element(info.checksum.algorithm), info.checksum.value);
    xml.text("ChecksumType", checksum_type_name(info.checksum.type));
    xml.close("Checksum");
  }
  if (wants("ObjectParts") && !info.parts.empty()) {
    uint64_t max = 1000, after = 0;
    if (const auto text = call.header("x-amz-max-parts"); !text.empty()) {
      HF_TRY(max, parse_number(std::string(text), "max-parts", 0, INT32_MAX));
      max = std::min<uint64_t>(max, 1000);
    }
    if (const auto text = call.header("x-amz-part-number-marker"); !text.empty()) {
      HF_TRY(after, parse_number(std::string(text), "part-number-marker", 0, INT32_MAX));
    }
    std::vector<PartInfo> page;
    bool truncated = false;
    for (const PartInfo& p : info.parts) {
      if (p.number <= after) continue;
      truncated = page.size() == max;
      if (truncated) break;
      page.push_back(p);
    }
    xml.open("ObjectParts");
    xml.number("TotalPartsCount", info.parts.size());
    xml.number("PartNumberMarker", after);
    if (truncated && !page.empty()) xml.number("NextPartNumberMarker", page.back().number);
    xml.number("MaxParts", max);
    xml.flag("IsTruncated", truncated);
    for (const PartInfo& p : page) {
      xml.open("Part");
      xml.number("PartNumber", p.number);
      xml.number("Size", p.size_bytes);
      if (!p.checksum.empty() && info.checksum.algorithm != ChecksumAlgorithm::kNone) {
        xml.text(checksum_element(info.checksum.algorithm), p.checksum);
      }
      xml.close("Part");
    }
    xml.close("ObjectParts");
  }
  if (wants("StorageClass")) xml.text("StorageClass", "STANDARD");
  if (wants("ObjectSize")) xml.number("ObjectSize", info.size_bytes);
  xml.close("GetObjectAttributesResponse");
  HttpResponse response = xml_response(xml.take());
  response.headers.add("Last-Modified", http_date(info.modified_ms));
  add_version_header(info, bucket, response.headers);
  return response;
}

}  // namespace holdfast::s3
