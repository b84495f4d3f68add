// CompleteMultipartUpload.
#include "s3gw/handlers/request_parts.h"
#include "s3gw/protocol/xml.h"

namespace holdfast::s3 {

namespace {

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

// The one checksum that a part of a completion names; none where it names none.
S3Result<Checksum> part_checksum(const pugi::xml_node& part) {
  Checksum named;
  std::string all;
  size_t count = 0;
  for (ChecksumAlgorithm a : kAllChecksums) {
    std::string value = child_text(part, checksum_element(a).c_str());
    if (value.empty()) continue;
    ++count;
    all += std::string(checksum_name(a)) + ":" + value + ";";
    named.algorithm = a;
    named.value = std::move(value);
  }
  if (count == 0) return named;
  if (count > 1) return bad_argument("Checksum", all, "Invalid Base64 or multiple checksums present in request");
  if (!valid_checksum(named.algorithm, named.value)) {
    return bad_argument("Checksum", named.value, "Invalid Base64 or multiple checksums present in request");
  }
  return named;
}

// The checksum of the whole object that a completion names: base64, of a composite one with or without "-<parts>".
S3Result<std::string> final_checksum(const Call& call) {
  std::string found;
  for (ChecksumAlgorithm a : kAllChecksums) {
    const std::string header = checksum_header(a);
    const std::string value(call.header(header));
    if (value.empty()) continue;
    if (!found.empty()) {
      return s3_fail("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    }
    const size_t dash = value.find('-');
    const bool suffix = dash == std::string::npos || parse_number(value.substr(dash + 1), "parts", 1, 10'000).has_value();
    if (!suffix || !valid_checksum(a, value.substr(0, dash))) {
      return s3_fail("InvalidRequest", "Value for " + header + " header is invalid.");
    }
    found = value;
  }
  return found;
}

// What the request says of checksums against what the upload was begun with.
S3Result<void> check_against_upload(const Call& call, const CompleteRequest& request, const Upload& upload) {
  const Checksum& u = upload.checksum;
  if (u.algorithm == ChecksumAlgorithm::kNone) return {};
  HF_TRY(const std::string type, checksum_type(call));
  const std::string kept(checksum_type_name(u.type));
  if (!type.empty() && type != kept) {
    return s3_fail("InvalidRequest", "The upload was created using the " + kept +
                                         " checksum mode. The complete request must use the same checksum mode.");
  }
  for (const CompletedPart& p : request.parts) {
    const std::string number = std::to_string(p.number);
    if (p.checksum.algorithm == ChecksumAlgorithm::kNone && u.type == ChecksumType::kComposite) {
      return s3_fail("InvalidRequest", "The upload was created using a " + lower_checksum_name(u.algorithm) +
                                           " checksum. The complete request must include the checksum for each part. "
                                           "It was missing for part " + number + " in the request.");
    }
    if (p.checksum.algorithm != ChecksumAlgorithm::kNone && p.checksum.algorithm != u.algorithm) {
      return s3_fail("BadDigest", "The " + lower_checksum_name(p.checksum.algorithm) + " you specified for part " +
                                      number + " did not match what we received.");
    }
  }
  return {};
}

S3Result<CompleteRequest> parse_completion(const Call& call) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "CompleteMultipartUpload"));
  CompleteRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload_id = call.query.get("uploadId");
  HF_TRY(request.conditions, write_conditions(call));
  for (const pugi::xml_node part : root.children("Part")) {
    CompletedPart p;
    const std::string number = child_text(part, "PartNumber");
    if (number.empty() || !part.child("ETag")) return s3_fail("MalformedXML");
    const auto n = parse_number(number, "PartNumber", 1, 10'000);
    if (!n) return bad_argument("PartNumber", number, "PartNumber must be >= 1");
    p.number = static_cast<uint32_t>(*n);
    p.etag = unquoted(child_text(part, "ETag"));
    HF_TRY(p.checksum, part_checksum(part));
    request.parts.push_back(std::move(p));
    if (request.parts.size() > 10'000) return s3_fail("MalformedXML");
  }
  if (request.parts.empty()) return s3_fail("MalformedXML");
  HF_TRY(request.checksum, final_checksum(call));
  if (const std::string size(call.header("x-amz-mp-object-size")); !size.empty()) {
    const auto bytes = parse_number(size, "x-amz-mp-object-size", 0, UINT64_MAX / 2);
    if (!bytes) return s3_fail("InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '" + size + "'");
    request.size_bytes = *bytes;
  }
  return request;
}

}  // namespace

S3Result<HttpResponse> complete_multipart_upload(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_TRY(CompleteRequest request, parse_completion(call));
  HF_CHECK(checksum_type(call));
  // A completed upload is gone: the store knows whether this repeats its completion.
  const auto upload = call.objects().upload(call.bucket(), call.key(), request.upload_id);
  if (upload) HF_CHECK(check_against_upload(call, request, *upload));
  const auto made = call.objects().complete_upload(std::move(request));
  if (!made && upload && made.error().is(Code::kInvalidArgument, Subject::kBody)) {
    const std::string kept(checksum_name(or_default(upload->checksum.algorithm)));
    return s3_fail("BadDigest", "The " + kept + " you specified did not match the calculated checksum.");
  }
  if (!made) return std::unexpected(S3Error(made.error()));
  XmlWriter xml;
  xml.root("CompleteMultipartUploadResult");
  const std::string scheme = call.http->tls ? "https://" : "http://";
  xml.text("Location", scheme + std::string(call.header("host")) + "/" + call.bucket() + "/" + percent_encode(call.key(), true));
  xml.text("Bucket", call.bucket());
  xml.text("Key", call.key());
  xml.text("ETag", quoted(made->etag));
  if (made->checksum.algorithm != ChecksumAlgorithm::kNone) {
    xml.text(checksum_element(made->checksum.algorithm), made->checksum.value);
    xml.text("ChecksumType", checksum_type_name(made->checksum.type));
  }
  xml.close("CompleteMultipartUploadResult");
  HttpResponse response = xml_response(xml.take());
  add_version_header(*made, bucket, response.headers);
  add_encryption_header(call, response.headers);
  return response;
}

}  // namespace holdfast::s3
