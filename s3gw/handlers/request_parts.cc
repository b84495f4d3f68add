#include "s3gw/handlers/request_parts.h"
#include "s3gw/handlers/tagging.h"

#include <algorithm>
#include <charconv>

#include "s3gw/protocol/xml.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

constexpr size_t kMaxMetadataBytes = 2048;
constexpr std::string_view kKeptHeaders[] = {"content-type", "cache-control", "content-disposition", "content-language",
                                             "expires", "x-amz-website-redirect-location"};

// A well-mixed half that makes mistyped ids recognisable.
uint64_t mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9;
  return x ^ (x >> 32);
}

std::string without_aws_chunked(std::string_view encoding) {
  std::string out;
  while (!encoding.empty()) {
    const size_t comma = std::min(encoding.find(','), encoding.size());
    std::string_view item = encoding.substr(0, comma);
    encoding.remove_prefix(std::min(comma + 1, encoding.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item.empty() || item == "aws-chunked") continue;
    out += (out.empty() ? "" : ",") + std::string(item);
  }
  return out;
}

std::vector<std::string> etag_list(std::string_view header) {
  std::vector<std::string> out;
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    std::string_view item = header.substr(0, comma);
    header.remove_prefix(std::min(comma + 1, header.size()));
    while (!item.empty() && (item.front() == ' ' || item.front() == '"')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '"')) item.remove_suffix(1);
    if (item.starts_with("W/\"")) item.remove_prefix(3);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

bool matches(const std::vector<std::string>& etags, const std::string& etag) {
  return std::any_of(etags.begin(), etags.end(), [&](const auto& e) { return e == "*" || e == etag; });
}

}  // namespace

std::string quoted(const std::string& etag) { return "\"" + etag + "\""; }

std::string version_id(VersionSeq seq, bool is_null) { return is_null ? "null" : hex64(seq) + hex64(mix(seq)); }

S3Result<VersionRef> parse_version_id(const std::string& text) {
  VersionRef ref;
  if (text == "null") {
    ref.null_version = true;
    return ref;
  }
  const auto raw = from_hex(text);
  if (!raw || raw->size() != 16) {
    // Letters and digits can be an id of another server's, of a version that is not here.
    const bool id = text.size() >= 16 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
    if (id) return s3_fail_with({{"VersionId", text}}, "NoSuchVersion");
    return bad_argument("versionId", text, "Invalid version id specified");
  }
  uint64_t seq = 0;
  std::from_chars(text.data(), text.data() + 16, seq, 16);
  if (hex64(mix(seq)) != std::string_view(text).substr(16)) return s3_fail_with({{"VersionId", text}}, "NoSuchVersion");
  ref.seq = seq;
  return ref;
}

S3Result<VersionRef> version_of(const Call& call) {
  const std::string id = call.query.get("versionId");
  // Tools write an empty id where they mean none. Not so of a removal: which version goes must be beyond doubt.
  const bool removes = call.operation == Operation::kDeleteObject;
  if (!call.query.has("versionId") || (id.empty() && !removes)) return VersionRef{};
  return parse_version_id(id);
}

bool valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
    if (n == 0 || i + n > text.size()) return false;
    for (size_t k = 1; k < n; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = n > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool overlong = (n == 2 && c < 0xc2) || (c == 0xe0 && second < 0xa0) || (c == 0xf0 && second < 0x90);
    const bool outside = (c == 0xed && second >= 0xa0) || c > 0xf4 || (c == 0xf4 && second >= 0x90);
    if (overlong || outside) return false;
    i += n;
  }
  return true;
}

S3Result<Retention> parse_retention(std::string_view mode, std::string_view until, int64_t now_ms) {
  Retention r;
  if (mode == "GOVERNANCE") r.mode = LockMode::kGovernance;
  else if (mode == "COMPLIANCE") r.mode = LockMode::kCompliance;
  else return s3_fail("MalformedXML");
  const auto ms = parse_iso8601(until);
  constexpr std::string_view kHeader = "x-amz-object-lock-retain-until-date";
  if (!ms) return bad_argument(kHeader, until, "The retain until date must be provided in ISO 8601 format");
  if (*ms <= now_ms) return bad_argument(kHeader, until, "The retain until date must be in the future!");
  r.until_ms = *ms;
  return r;
}

S3Result<Attributes> attributes_from_headers(const Call& call, const Bucket& bucket) {
  Attributes a;
  size_t metadata_bytes = 0;
  for (const auto& [name, value] : call.http->headers.all()) {
    if (name.starts_with("x-amz-meta-")) {
      metadata_bytes += name.size() - 11 + value.size();
      const auto same = std::find_if(a.headers.begin(), a.headers.end(), [&](const auto& h) { return h.first == name; });
      if (same != a.headers.end()) same->second += "," + value;
      else a.headers.emplace_back(name, value);
    } else if (std::find(std::begin(kKeptHeaders), std::end(kKeptHeaders), name) != std::end(kKeptHeaders)) {
      a.headers.emplace_back(name, value);
    } else if (name == "content-encoding") {
      if (std::string kept = without_aws_chunked(value); !kept.empty()) a.headers.emplace_back(name, std::move(kept));
    } else if (name == "x-amz-storage-class" && value != "STANDARD") {
      return s3_fail("InvalidStorageClass", "The only storage class is STANDARD");
    }
  }
  if (metadata_bytes > kMaxMetadataBytes) return s3_fail("MetadataTooLarge");
  if (const auto tagging = call.header("x-amz-tagging"); !tagging.empty()) {
    HF_TRY(a.tags, parse_tagging_header(tagging));
  }
  const auto mode = call.header("x-amz-object-lock-mode");
  const auto until = call.header("x-amz-object-lock-retain-until-date");
  const auto hold = call.header("x-amz-object-lock-legal-hold");
  if (mode.empty() && until.empty() && hold.empty()) return a;
  if (mode.empty() != until.empty()) {
    return bad_argument(mode.empty() ? "x-amz-object-lock-mode" : "x-amz-object-lock-retain-until-date", "",
                        "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied.");
  }
  if (!mode.empty()) {
    if (mode != "GOVERNANCE" && mode != "COMPLIANCE") return bad_argument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.");
    HF_TRY(a.retention, parse_retention(mode, until, call.services->clock->wall_ms()));
  }
  if (!hold.empty() && hold != "ON" && hold != "OFF") {
    return bad_argument("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'");
  }
  if (!bucket.lock_enabled) return s3_fail("InvalidRequest", "Bucket is missing ObjectLockConfiguration");
  a.legal_hold = hold == "ON";
  return a;
}

S3Result<void> check_encryption_headers(const Call& call) {
  for (const auto& [name, value] : call.http->headers.all()) {
    if (name.starts_with("x-amz-server-side-encryption-customer-") ||
        name.starts_with("x-amz-copy-source-server-side-encryption-customer-")) {
      return s3_fail("NotImplemented", "Encryption with keys of the client (SSE-C) is not implemented");
    }
  }
  const auto algorithm = call.header("x-amz-server-side-encryption");
  if (algorithm.empty()) return {};
  if (algorithm.starts_with("aws:kms")) return s3_fail("NotImplemented", "Encryption with aws:kms is not implemented");
  if (algorithm != "AES256") return s3_fail("InvalidArgument", "The encryption method specified is not supported");
  if (!call.options->encrypted) return s3_fail("NotImplemented", "The pool is not encrypted");
  return {};
}

void add_encryption_header(const Call& call, HttpHeaders& headers) {
  if (call.options->encrypted) headers.add("x-amz-server-side-encryption", "AES256");
}

S3Result<WriteConditions> write_conditions(const Call& call) {
  WriteConditions c;
  for (const std::string& etag : etag_list(call.header("if-match"))) {
    if (etag == "*") c.if_match_any = true;
    else c.if_match.push_back(etag);
  }
  for (const std::string& etag : etag_list(call.header("if-none-match"))) {
    if (etag == "*") c.if_none_match_any = true;
    else c.if_none_match.push_back(etag);
  }
  c.create_only = call.auth.user.role == Role::kAppendOnly;
  return c;
}

S3Result<void> check_read_conditions(const Call& call, const ObjectInfo& info, std::string_view prefix) {
  const std::string p(prefix);
  const auto value = [&](const char* name) { return call.header(p + name); };
  const bool copying = !prefix.empty();
  const auto not_modified = [&] { return s3_fail(copying ? "PreconditionFailed" : "NotModified"); };
  const int64_t modified_ms = info.modified_ms / 1000 * 1000;
  const auto if_match = value("if-match");
  const auto if_none_match = value("if-none-match");
  // In the order of RFC 9110, section 13.2.2: what must hold comes before what saves a transfer.
  if (!if_match.empty() && !matches(etag_list(if_match), info.etag)) return s3_fail("PreconditionFailed");
  const auto until = parse_http_date(value("if-unmodified-since"));
  if (until && if_match.empty() && modified_ms > *until) return s3_fail("PreconditionFailed");
  if (!if_none_match.empty() && matches(etag_list(if_none_match), info.etag)) return not_modified();
  const auto since = parse_http_date(value("if-modified-since"));
  if (since && if_none_match.empty() && modified_ms <= *since) return not_modified();
  return {};
}

S3Result<std::string> announced_md5(const Call& call) {
  if (!call.http->headers.has("content-md5")) return std::string();
  const auto text = call.header("content-md5");
  const auto raw = from_base64(text);
  if (!raw || raw->size() != 16) return s3_fail_with({{"Content-MD5", std::string(text)}}, "InvalidDigest");
  return std::string(as_text(*raw));
}

S3Result<std::string> checksum_type(const Call& call) {
  std::string type(call.header("x-amz-checksum-type"));
  for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (type.empty() || type == "FULL_OBJECT" || type == "COMPOSITE") return type;
  return s3_fail("InvalidRequest", "Value for x-amz-checksum-type header is invalid.");
}

S3Result<Checksum> announced_checksum(const Call& call) {
  Checksum c;
  const auto invalid = [](const std::string& header) {
    return s3_fail("InvalidRequest", "Value for " + header + " header is invalid.");
  };
  for (ChecksumAlgorithm a : kAllChecksums) {
    const std::string header = checksum_header(a);
    if (!call.http->headers.has(header)) continue;
    const auto value = call.header(header);
    if (c.algorithm != ChecksumAlgorithm::kNone) {
      return s3_fail("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    }
    c.algorithm = a;
    c.value = value;
  }
  if (c.algorithm != ChecksumAlgorithm::kNone && !valid_checksum(c.algorithm, c.value)) return invalid(checksum_header(c.algorithm));
  for (const auto& [name, value] : call.http->headers.all()) {
    if (!name.starts_with("x-amz-checksum-")) continue;
    const std::string_view what = std::string_view(name).substr(15);
    const bool known = what == "algorithm" || what == "type" || what == "mode" || parse_checksum_name(what);
    if (!known) return s3_fail("InvalidRequest", "Value for " + name + " header is invalid.");
  }
  if (const auto trailer = call.header("x-amz-trailer"); trailer.starts_with("x-amz-checksum-")) {
    if (c.algorithm != ChecksumAlgorithm::kNone) {
      return s3_fail("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    } else {
      const auto a = parse_checksum_name(trailer.substr(15));
      if (!a) return s3_fail("InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
      c.algorithm = *a;
    }
  }
  std::string_view named = call.header("x-amz-sdk-checksum-algorithm");
  if (named.empty()) named = call.header("x-amz-checksum-algorithm");
  if (!named.empty()) {
    const auto a = parse_checksum_name(named);
    if (!a) return unsupported_checksum();
    if (c.algorithm != ChecksumAlgorithm::kNone && c.algorithm != *a) {
      return s3_fail("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    }
    c.algorithm = *a;
  }
  return c;
}

void add_checksum_headers(const Checksum& checksum, HttpHeaders& headers) {
  if (checksum.algorithm == ChecksumAlgorithm::kNone || checksum.value.empty()) return;
  headers.add(checksum_header(checksum.algorithm), checksum.value);
  headers.add("x-amz-checksum-type", std::string(checksum_type_name(checksum.type)));
}

void add_version_header(const ObjectInfo& info, const Bucket& bucket, HttpHeaders& headers) {
  if (bucket.versioning != Versioning::kOff) headers.add("x-amz-version-id", version_id(info.seq, info.is_null));
}

void add_object_headers(const Call& call, const ObjectInfo& info, HttpHeaders& headers) {
  static constexpr std::pair<std::string_view, std::string_view> kOverrides[] = {
      {"response-content-type", "content-type"},         {"response-content-language", "content-language"},
      {"response-expires", "expires"},                   {"response-cache-control", "cache-control"},
      {"response-content-disposition", "content-disposition"}, {"response-content-encoding", "content-encoding"}};
  bool typed = false;
  for (const auto& [name, value] : info.attributes.headers) {
    const auto* o = std::find_if(std::begin(kOverrides), std::end(kOverrides), [&](const auto& p) { return p.second == name; });
    if (o != std::end(kOverrides) && call.query.has(o->first)) continue;
    typed = typed || name == "content-type";
    headers.add(name, value);
  }
  for (const auto& [parameter, header] : kOverrides) {
    if (!call.query.has(parameter)) continue;
    typed = typed || header == "content-type";
    headers.add(std::string(header), call.query.get(parameter));
  }
  if (!typed) headers.add("Content-Type", "binary/octet-stream");
  headers.add("ETag", quoted(info.etag));
  headers.add("Last-Modified", http_date(info.modified_ms));
  headers.add("Accept-Ranges", "bytes");
  headers.add("x-amz-storage-class", "STANDARD");
  add_encryption_header(call, headers);
  const Attributes& a = info.attributes;
  if (!a.tags.empty()) headers.add("x-amz-tagging-count", std::to_string(a.tags.size()));
  if (a.retention.mode != LockMode::kNone) {
    headers.add("x-amz-object-lock-mode", a.retention.mode == LockMode::kCompliance ? "COMPLIANCE" : "GOVERNANCE");
    headers.add("x-amz-object-lock-retain-until-date", iso8601(a.retention.until_ms));
  }
  if (a.legal_hold) headers.add("x-amz-object-lock-legal-hold", "ON");
}

S3Result<ByteRange> parse_range(std::string_view header, uint64_t size) {
  ByteRange whole{0, size, false};
  if (!header.starts_with("bytes=")) return whole;
  header.remove_prefix(6);
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) return whole;
  const auto number = [](std::string_view text) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
  };
  const std::string_view left = header.substr(0, dash), right = header.substr(dash + 1);
  const auto first = number(left), last = number(right);
  if (left.empty()) {
    if (!last) return whole;
    if (*last == 0 || size == 0) return s3_fail("InvalidRange");
    const uint64_t n = std::min(*last, size);
    return ByteRange{size - n, n, true};
  }
  if (!first || (!right.empty() && !last) || (last && *last < *first)) return whole;
  if (*first >= size) return s3_fail("InvalidRange");
  const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1, true};
}

S3Result<uint32_t> parse_part_number(const Call& call) {
  const std::string text = call.query.get("partNumber");
  const auto number = parse_number(text, "partNumber", 1, 10'000);
  if (!number) return bad_argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive.");
  return static_cast<uint32_t>(*number);
}

S3Result<uint64_t> parse_number(const std::string& text, std::string_view name, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || text.empty() || value < min || value > max) {
    return bad_argument(name, text, "Argument " + std::string(name) + " must be an integer between " +
                                        std::to_string(min) + " and " + std::to_string(max));
  }
  return value;
}

HttpResponse xml_response(std::string body, unsigned status) {
  HttpResponse r;
  r.status = status;
  r.headers.add("Content-Type", "application/xml");
  r.body = std::move(body);
  return r;
}

bool bypass_governance(const Call& call) {
  const auto value = call.header("x-amz-bypass-governance-retention");
  return (value == "true" || value == "True") && call.auth.user.role == Role::kAdmin;
}

}  // namespace holdfast::s3
