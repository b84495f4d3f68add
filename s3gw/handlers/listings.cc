// ListObjects, ListObjectsV2, ListObjectVersions.
#include "s3gw/handlers/request_parts.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

// Keys as the client asked to see them.
class KeyWriter {
 public:
  static S3Result<KeyWriter> make(const Call& call) {
    const std::string type = call.query.get("encoding-type");
    if (!type.empty() && type != "url") return s3_fail("InvalidArgument", "Invalid Encoding Method specified in Request");
    return KeyWriter(type == "url");
  }
  std::string operator()(const std::string& key) const { return url_ ? percent_encode(key, true) : key; }
  bool url() const { return url_; }

 private:
  explicit KeyWriter(bool url) : url_(url) {}
  bool url_;
};

S3Result<uint32_t> max_keys(const Call& call) {
  if (!call.query.has("max-keys")) return 1000;
  HF_TRY(const uint64_t n, parse_number(call.query.get("max-keys"), "max-keys", 0, INT32_MAX));
  return static_cast<uint32_t>(std::min<uint64_t>(n, 1000));
}

void write_common_prefixes(XmlWriter& xml, const KeyWriter& keys, const std::vector<std::string>& prefixes) {
  for (const std::string& p : prefixes) {
    xml.open("CommonPrefixes");
    xml.text("Prefix", keys(p));
    xml.close("CommonPrefixes");
  }
}

void write_owner(XmlWriter& xml, const std::string& id) {
  xml.open("Owner");
  xml.text("ID", id);
  xml.text("DisplayName", id);
  xml.close("Owner");
}

void write_entry(XmlWriter& xml, const KeyWriter& keys, const ObjectInfo& e, const std::string* owner) {
  xml.open("Contents");
  xml.text("Key", keys(e.key));
  xml.text("LastModified", iso8601(e.modified_ms));
  xml.text("ETag", quoted(e.etag));
  if (e.checksum.algorithm != ChecksumAlgorithm::kNone) {
    xml.text("ChecksumAlgorithm", checksum_name(e.checksum.algorithm));
    xml.text("ChecksumType", checksum_type_name(e.checksum.type));
  }
  xml.number("Size", e.size_bytes);
  if (owner != nullptr) write_owner(xml, *owner);
  xml.text("StorageClass", "STANDARD");
  xml.close("Contents");
}

}  // namespace

S3Result<HttpResponse> list_objects(const Call& call) {
  const bool v2 = call.operation == Operation::kListObjectsV2;
  if (v2 && call.query.get("list-type") != "2") return s3_fail("InvalidArgument", "list-type must be 2");
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_TRY(const KeyWriter keys, KeyWriter::make(call));
  ListQuery q;
  q.prefix = call.query.get("prefix");
  q.delimiter = call.query.get("delimiter");
  HF_TRY(q.max, max_keys(call));
  const std::string start_after = call.query.get("start-after");
  const std::string token = call.query.get("continuation-token");
  if (!v2) {
    q.after_key = call.query.get("marker");
  } else if (call.query.has("continuation-token")) {
    const auto raw = from_base64(token);
    if (!raw || token.empty()) return s3_fail("InvalidArgument", "The continuation token provided is incorrect");
    q.after_key = std::string(as_text(*raw));
  } else {
    q.after_key = start_after;
  }
  HF_TRY(const ListPage page, call.objects().list(call.bucket(), q));
  XmlWriter xml;
  xml.root("ListBucketResult");
  xml.text("Name", call.bucket());
  xml.text("Prefix", keys(q.prefix));
  if (v2) {
    if (!token.empty()) xml.text("ContinuationToken", token);
    if (!start_after.empty()) xml.text("StartAfter", keys(start_after));
    xml.number("KeyCount", page.entries.size() + page.common_prefixes.size());
    if (page.truncated) xml.text("NextContinuationToken", base64(as_bytes(page.next_key)));
  } else {
    xml.text("Marker", keys(q.after_key));
    if (page.truncated) xml.text("NextMarker", keys(page.next_key));
  }
  xml.number("MaxKeys", q.max);
  if (!q.delimiter.empty()) xml.text("Delimiter", keys(q.delimiter));
  if (keys.url()) xml.text("EncodingType", "url");
  xml.flag("IsTruncated", page.truncated);
  const bool owners = !v2 || call.query.get("fetch-owner") == "true";
  for (const ObjectInfo& e : page.entries) write_entry(xml, keys, e, owners ? &bucket.owner : nullptr);
  write_common_prefixes(xml, keys, page.common_prefixes);
  xml.close("ListBucketResult");
  return xml_response(xml.take());
}

S3Result<HttpResponse> list_object_versions(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_TRY(const KeyWriter keys, KeyWriter::make(call));
  ListQuery q;
  q.all_versions = true;
  q.prefix = call.query.get("prefix");
  q.delimiter = call.query.get("delimiter");
  q.after_key = call.query.get("key-marker");
  HF_TRY(q.max, max_keys(call));
  const std::string version_marker = call.query.get("version-id-marker");
  if (!version_marker.empty()) {
    if (q.after_key.empty()) {
      return s3_fail("InvalidArgument", "A version-id marker cannot be specified without a key marker.");
    }
    HF_TRY(const VersionRef ref, parse_version_id(version_marker));
    q.after_seq = ref.seq;
    if (ref.null_version) {
      auto reader = call.objects().get(call.bucket(), q.after_key, ref);
      if (reader) q.after_seq = (*reader)->info().seq;
    }
  }
  HF_TRY(const ListPage page, call.objects().list(call.bucket(), q));
  XmlWriter xml;
  xml.root("ListVersionsResult");
  xml.text("Name", call.bucket());
  xml.text("Prefix", keys(q.prefix));
  xml.text("KeyMarker", keys(q.after_key));
  xml.text("VersionIdMarker", version_marker);
  if (page.truncated) {
    xml.text("NextKeyMarker", keys(page.next_key));
    if (page.next_seq) {
      xml.text("NextVersionIdMarker", version_id(*page.next_seq, page.entries.back().is_null));
    }
  }
  xml.number("MaxKeys", q.max);
  if (!q.delimiter.empty()) xml.text("Delimiter", keys(q.delimiter));
  if (keys.url()) xml.text("EncodingType", "url");
  xml.flag("IsTruncated", page.truncated);
  for (const ObjectInfo& e : page.entries) {
    const char* element = e.is_marker ? "DeleteMarker" : "Version";
    xml.open(element);
    xml.text("Key", keys(e.key));
    xml.text("VersionId", version_id(e.seq, e.is_null));
    xml.flag("IsLatest", e.is_latest);
    xml.text("LastModified", iso8601(e.modified_ms));
    if (!e.is_marker) {
      xml.text("ETag", quoted(e.etag));
      if (e.checksum.algorithm != ChecksumAlgorithm::kNone) {
        xml.text("ChecksumAlgorithm", checksum_name(e.checksum.algorithm));
        xml.text("ChecksumType", checksum_type_name(e.checksum.type));
      }
      xml.number("Size", e.size_bytes);
      xml.text("StorageClass", "STANDARD");
    }
    write_owner(xml, bucket.owner);
    xml.close(element);
  }
  write_common_prefixes(xml, keys, page.common_prefixes);
  xml.close("ListVersionsResult");
  return xml_response(xml.take());
}

}  // namespace holdfast::s3
