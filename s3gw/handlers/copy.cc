// CopyObject and UploadPartCopy.
#include "s3gw/auth/policy.h"
#include "s3gw/handlers/request_parts.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

constexpr uint64_t kMaxCopyBytes = 5ULL << 30;
constexpr size_t kPieceBytes = 1 << 20;

struct Source {
  std::string bucket, key;
  VersionRef version;
  std::unique_ptr<ObjectReader> reader;
};

// What the header names, not looked for yet.
S3Result<Source> parse_source(const Call& call) {
  std::string_view text = call.header("x-amz-copy-source");
  Source source;
  if (const size_t at = text.find("?versionId="); at != std::string_view::npos) {
    HF_TRY(source.version, parse_version_id(std::string(text.substr(at + 11))));
    text = text.substr(0, at);
  }
  auto path = percent_decode(text);
  if (!path) return bad_argument("x-amz-copy-source", text, "Invalid copy source encoding");
  if (path->starts_with('/')) path->erase(0, 1);
  const size_t slash = path->find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == path->size()) {
    return bad_argument("x-amz-copy-source", text, slash == 0 ? "Invalid copy source bucket name" : "Invalid copy source object key");
  }
  source.bucket = path->substr(0, slash);
  if (!valid_bucket_name(source.bucket)) return bad_argument("x-amz-copy-source", text, "Invalid copy source bucket name");
  source.key = path->substr(slash + 1);
  return source;
}

S3Result<Source> open_source(const Call& call, Source source) {
  HF_CHECK(authorize(call.auth.user, Operation::kGetObject, source.bucket, source.key, ""));
  HF_TRY(source.reader, call.objects().get(source.bucket, source.key, source.version));
  if (source.reader->info().is_marker) {
    if (source.version.latest()) return s3_fail("NoSuchKey");
    return s3_fail("InvalidRequest", "The source of a copy request may not specifically refer to a delete marker by version id.");
  }
  HF_CHECK(check_read_conditions(call, source.reader->info(), "x-amz-copy-source-"));
  return source;
}

struct Copied {
  std::unique_ptr<BodySink> sink;
  std::string md5;
  Checksum checksum;
};

// Reads and writes the bytes anew: the copy has its own key and its own checks.
S3Result<Copied> copy_bytes(const Call& call, ObjectReader& from, uint64_t first, uint64_t size, ChecksumAlgorithm algorithm) {
  Copied copied;
  HF_TRY(copied.sink, call.objects().open_body(call.bucket(), size));
  Digest md5(DigestKind::kMd5);
  RunningChecksum checksum(algorithm);
  Bytes piece(std::min<uint64_t>(size, kPieceBytes));
  for (uint64_t at = 0; at < size;) {
    MutableByteSpan part = MutableByteSpan(piece).first(std::min<uint64_t>(size - at, kPieceBytes));
    HF_CHECK(from.read(first + at, part));
    md5.update(part);
    checksum.update(part);
    HF_CHECK(copied.sink->append(part));
    at += part.size();
  }
  copied.md5 = hex(as_bytes(md5.finish()));
  copied.checksum.algorithm = algorithm;
  copied.checksum.value = checksum.finish_base64();
  return copied;
}

S3Result<Attributes> copied_attributes(const Call& call, const Bucket& bucket, const ObjectInfo& source) {
  const auto metadata = call.header("x-amz-metadata-directive");
  const auto tagging = call.header("x-amz-tagging-directive");
  if (!metadata.empty() && metadata != "COPY" && metadata != "REPLACE") {
    return bad_argument("x-amz-metadata-directive", metadata, "Unknown metadata directive.");
  }
  if (!tagging.empty() && tagging != "COPY" && tagging != "REPLACE") {
    return bad_argument("x-amz-tagging-directive", tagging, "Unknown tagging directive.");
  }
  HF_TRY(Attributes given, attributes_from_headers(call, bucket));
  if (metadata != "REPLACE") {
    // A redirect is given anew with each object; S3 does not copy it.
    constexpr std::string_view kRedirect = "x-amz-website-redirect-location";
    Pairs headers = source.attributes.headers;
    std::erase_if(headers, [](const auto& h) { return h.first == kRedirect; });
    for (const auto& h : given.headers) {
      if (h.first == kRedirect) headers.push_back(h);
    }
    given.headers = std::move(headers);
  }
  if (tagging != "REPLACE") given.tags = source.attributes.tags;
  return given;
}

// Unlike GET, a copy needs a range that is wholly there.
S3Result<ByteRange> copy_range(std::string_view header, uint64_t size) {
  const auto malformed = [&] {
    return bad_argument("x-amz-copy-source-range", header,
                        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                        "zero-based offsets of the first and last bytes to copy");
  };
  const size_t dash = header.find('-');
  if (!header.starts_with("bytes=") || dash == std::string_view::npos) return malformed();
  const auto first = parse_number(std::string(header.substr(6, dash - 6)), "first", 0, INT64_MAX);
  const auto last = parse_number(std::string(header.substr(dash + 1)), "last", 0, INT64_MAX);
  if (!first || !last || *last < *first) return malformed();
  if (*last >= size) {
    return bad_argument("x-amz-copy-source-range", header,
                        "Range specified is not valid for source object of size: " + std::to_string(size));
  }
  return ByteRange{*first, *last - *first + 1, true};
}

std::string result_document(const char* root, const std::string& etag, int64_t modified_ms, const Checksum& checksum) {
  XmlWriter xml;
  xml.root(root);
  xml.text("LastModified", iso8601(modified_ms));
  xml.text("ETag", quoted(etag));
  if (checksum.algorithm != ChecksumAlgorithm::kNone && !checksum.value.empty()) {
    xml.text(checksum_element(checksum.algorithm), checksum.value);
    xml.text("ChecksumType", "FULL_OBJECT");
  }
  xml.close(root);
  return xml.take();
}

void add_source_version(const Call& call, const Source& source, HttpHeaders& headers) {
  const auto bucket = call.buckets().bucket(source.bucket);
  const ObjectInfo& from = source.reader->info();
  if (bucket && bucket->versioning != Versioning::kOff) {
    headers.add("x-amz-copy-source-version-id", version_id(from.seq, from.is_null));
  }
}

}  // namespace

S3Result<HttpResponse> copy_object(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_CHECK(check_encryption_headers(call));
  HF_TRY(Source parsed, parse_source(call));
  HF_TRY(const Source source, open_source(call, std::move(parsed)));
  const ObjectInfo& from = source.reader->info();
  if (from.size_bytes > kMaxCopyBytes) {
    return s3_fail("InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
  }
  HF_TRY(Attributes attributes, copied_attributes(call, bucket, from));
  const bool onto_itself = source.bucket == call.bucket() && source.key == call.key() && source.version.latest();
  if (onto_itself && call.header("x-amz-metadata-directive") != "REPLACE" && call.header("x-amz-tagging-directive") != "REPLACE") {
    return s3_fail("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without "
                                     "changing the object's metadata, storage class, website redirect location or encryption attributes.");
  }
  PutRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.attributes = std::move(attributes);
  HF_TRY(request.conditions, write_conditions(call));
  HF_TRY(const Checksum announced, announced_checksum(call));
  const ChecksumAlgorithm algorithm =
      or_default(announced.algorithm != ChecksumAlgorithm::kNone ? announced.algorithm : from.checksum.algorithm);
  HF_TRY(Copied copied, copy_bytes(call, *source.reader, 0, from.size_bytes, algorithm));
  request.etag = copied.md5;
  request.checksum = copied.checksum;
  HF_TRY(const ObjectInfo made, call.objects().put(std::move(request), std::move(copied.sink)));
  HttpResponse response = xml_response(result_document("CopyObjectResult", made.etag, made.modified_ms, made.checksum));
  add_version_header(made, bucket, response.headers);
  add_encryption_header(call, response.headers);
  add_source_version(call, source, response.headers);
  return response;
}

S3Result<HttpResponse> upload_part_copy(const Call& call) {
  HF_TRY(const uint32_t number, parse_part_number(call));
  const std::string upload_id = call.query.get("uploadId");
  HF_TRY(Source parsed, parse_source(call));
  HF_TRY(const Upload upload, call.objects().upload(call.bucket(), call.key(), upload_id));
  HF_TRY(const Source source, open_source(call, std::move(parsed)));
  const ObjectInfo& from = source.reader->info();
  ByteRange range{0, from.size_bytes, false};
  if (const auto header = call.header("x-amz-copy-source-range"); !header.empty()) {
    HF_TRY(range, copy_range(header, from.size_bytes));
  }
  if (range.size > kMaxCopyBytes) return s3_fail("EntityTooLarge");
  const bool named = upload.checksum.algorithm != ChecksumAlgorithm::kNone;
  HF_TRY(Copied copied, copy_bytes(call, *source.reader, range.first, range.size, or_default(upload.checksum.algorithm)));
  PartInfo info;
  info.number = number;
  info.etag = copied.md5;
  info.checksum = copied.checksum.value;
  HF_TRY(const PartInfo made, call.objects().put_part(call.bucket(), call.key(), upload_id, info, std::move(copied.sink)));
  HttpResponse response = xml_response(result_document("CopyPartResult", made.etag, made.modified_ms, named ? copied.checksum : Checksum{}));
  add_source_version(call, source, response.headers);
  add_encryption_header(call, response.headers);
  return response;
}

}  // namespace holdfast::s3
