// Multipart uploads but for the parts' bodies and the completion.
#include "s3gw/handlers/request_parts.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

S3Result<Checksum> upload_checksum(const Call& call) {
  Checksum c;
  const auto algorithm = call.header("x-amz-checksum-algorithm");
  HF_TRY(const std::string type, checksum_type(call));
  if (algorithm.empty()) {
    if (!type.empty()) return s3_fail("InvalidRequest", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
    return c;
  }
  const auto a = parse_checksum_name(algorithm);
  if (!a) return unsupported_checksum();
  c.algorithm = *a;
  c.type = *a == ChecksumAlgorithm::kCrc64Nvme ? ChecksumType::kFullObject : ChecksumType::kComposite;
  if (!type.empty()) c.type = type == "FULL_OBJECT" ? ChecksumType::kFullObject : ChecksumType::kComposite;
  const bool impossible = c.type == ChecksumType::kFullObject ? !joins(*a) : *a == ChecksumAlgorithm::kCrc64Nvme;
  if (impossible) {
    return s3_fail("InvalidRequest", "The " + type + " checksum type cannot be used with the " +
                                         lower_checksum_name(*a) + " checksum algorithm.");
  }
  return c;
}

void write_person(XmlWriter& xml, const char* element, const std::string& id) {
  xml.open(element);
  xml.text("ID", id);
  xml.text("DisplayName", id);
  xml.close(element);
}

}  // namespace

S3Result<HttpResponse> create_multipart_upload(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_CHECK(check_encryption_headers(call));
  UploadRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.owner = call.auth.user.access_key;
  HF_TRY(request.checksum, upload_checksum(call));
  HF_TRY(request.attributes, attributes_from_headers(call, bucket));
  HF_TRY(const Upload upload, call.objects().create_upload(std::move(request)));
  XmlWriter xml;
  xml.root("InitiateMultipartUploadResult");
  xml.text("Bucket", call.bucket());
  xml.text("Key", call.key());
  xml.text("UploadId", upload.id);
  xml.close("InitiateMultipartUploadResult");
  HttpResponse response = xml_response(xml.take());
  if (upload.checksum.algorithm != ChecksumAlgorithm::kNone) {
    response.headers.add("x-amz-checksum-algorithm", std::string(checksum_name(upload.checksum.algorithm)));
    response.headers.add("x-amz-checksum-type", std::string(checksum_type_name(upload.checksum.type)));
  }
  add_encryption_header(call, response.headers);
  return response;
}

S3Result<HttpResponse> abort_multipart_upload(const Call& call) {
  if (const auto since = parse_http_date(call.header("x-amz-if-match-initiated-time"))) {
    HF_TRY(const Upload upload, call.objects().upload(call.bucket(), call.key(), call.query.get("uploadId")));
    const bool future = *since > call.services->clock->wall_ms();
    if (!future && *since / 1000 != upload.initiated_ms / 1000) return s3_fail("PreconditionFailed");
  }
  HF_CHECK(call.objects().abort_upload(call.bucket(), call.key(), call.query.get("uploadId")));
  HttpResponse response;
  response.status = 204;
  return response;
}

S3Result<HttpResponse> list_parts(const Call& call) {
  uint64_t max = 1000, after = 0;
  if (call.query.has("max-parts")) {
    HF_TRY(max, parse_number(call.query.get("max-parts"), "max-parts", 0, INT32_MAX));
    max = std::min<uint64_t>(max, 1000);
  }
  if (call.query.has("part-number-marker")) {
    HF_TRY(after, parse_number(call.query.get("part-number-marker"), "part-number-marker", 0, INT32_MAX));
  }
  const std::string upload_id = call.query.get("uploadId");
  HF_TRY(const PartsPage page, call.objects().list_parts(call.bucket(), call.key(), upload_id,
                                                         static_cast<uint32_t>(after), static_cast<uint32_t>(max)));
  XmlWriter xml;
  xml.root("ListPartsResult");
  xml.text("Bucket", call.bucket());
  xml.text("Key", call.key());
  xml.text("UploadId", upload_id);
  write_person(xml, "Initiator", page.upload.owner);
  write_person(xml, "Owner", page.upload.owner);
  xml.text("StorageClass", "STANDARD");
  xml.number("PartNumberMarker", after);
  if (!page.parts.empty()) xml.number("NextPartNumberMarker", page.parts.back().number);
  xml.number("MaxParts", max);
  xml.flag("IsTruncated", page.truncated);
  const ChecksumAlgorithm algorithm = page.upload.checksum.algorithm;
  if (algorithm != ChecksumAlgorithm::kNone) {
    xml.text("ChecksumAlgorithm", checksum_name(algorithm));
    xml.text("ChecksumType", checksum_type_name(page.upload.checksum.type));
  }
  for (const PartInfo& p : page.parts) {
    xml.open("Part");
    xml.number("PartNumber", p.number);
    xml.text("LastModified", iso8601(p.modified_ms));
    xml.text("ETag", quoted(p.etag));
    xml.number("Size", p.size_bytes);
    if (algorithm != ChecksumAlgorithm::kNone && !p.checksum.empty()) xml.text(checksum_element(algorithm), p.checksum);
    xml.close("Part");
  }
  xml.close("ListPartsResult");
  return xml_response(xml.take());
}

S3Result<HttpResponse> list_multipart_uploads(const Call& call) {
  HF_CHECK(call.buckets().bucket(call.bucket()));
  UploadQuery q;
  q.prefix = call.query.get("prefix");
  q.delimiter = call.query.get("delimiter");
  q.after_key = call.query.get("key-marker");
  q.after_id = call.query.get("upload-id-marker");
  if (call.query.has("max-uploads")) {
    HF_TRY(const uint64_t max, parse_number(call.query.get("max-uploads"), "max-uploads", 0, INT32_MAX));
    q.max = static_cast<uint32_t>(std::min<uint64_t>(max, 1000));
  }
  const bool url = call.query.get("encoding-type") == "url";
  const auto shown = [url](const std::string& key) { return url ? percent_encode(key, true) : key; };
  HF_TRY(const UploadPage page, call.objects().list_uploads(call.bucket(), q));
  XmlWriter xml;
  xml.root("ListMultipartUploadsResult");
  xml.text("Bucket", call.bucket());
  xml.text("KeyMarker", shown(q.after_key));
  xml.text("UploadIdMarker", q.after_id);
  if (page.truncated) {
    xml.text("NextKeyMarker", shown(page.next_key));
    xml.text("NextUploadIdMarker", page.next_id);
  }
  xml.text("Prefix", shown(q.prefix));
  if (!q.delimiter.empty()) xml.text("Delimiter", shown(q.delimiter));
  if (url) xml.text("EncodingType", "url");
  xml.number("MaxUploads", q.max);
  xml.flag("IsTruncated", page.truncated);
  for (const Upload& u : page.uploads) {
    xml.open("Upload");
    xml.text("Key", shown(u.key));
    xml.text("UploadId", u.id);
    write_person(xml, "Initiator", u.owner);
    write_person(xml, "Owner", u.owner);
    xml.text("StorageClass", "STANDARD");
    xml.text("Initiated", iso8601(u.initiated_ms));
    if (u.checksum.algorithm != ChecksumAlgorithm::kNone) {
      xml.text("ChecksumAlgorithm", checksum_name(u.checksum.algorithm));
      xml.text("ChecksumType", checksum_type_name(u.checksum.type));
    }
    xml.close("Upload");
  }
  for (const std::string& p : page.common_prefixes) {
    xml.open("CommonPrefixes");
    xml.text("Prefix", shown(p));
    xml.close("CommonPrefixes");
  }
  xml.close("ListMultipartUploadsResult");
  return xml_response(xml.take());
}

}  // namespace holdfast::s3
