#include "storage/remote/s3_answers.h"

#include <charconv>
#include <pugixml.hpp>
#include <sstream>

#include "storage/base/times.h"
#include "storage/net/http_types.h"

namespace holdfast {

namespace {

// With or without a namespace's prefix before the name.
bool is_named(const pugi::xml_node& node, std::string_view name) {
  std::string_view given = node.name();
  if (const size_t colon = given.find(':'); colon != std::string_view::npos) given.remove_prefix(colon + 1);
  return given == name;
}

std::string text_of(const pugi::xml_node& node, std::string_view child) {
  for (const pugi::xml_node& c : node.children()) {
    if (is_named(c, child)) return c.text().as_string();
  }
  return "";
}

Result<uint64_t> number_of(const pugi::xml_node& node, const char* child) {
  const std::string text = text_of(node, child);
  uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return error(Code::kCorrupt, std::string("its answer has no ") + child);
  return value;
}

Result<pugi::xml_node> rooted(pugi::xml_document& document, const std::string& body, const char* root) {
  const pugi::xml_parse_result parsed = document.load_buffer(body.data(), body.size(), pugi::parse_default & ~pugi::parse_doctype);
  const pugi::xml_node node = document.document_element();
  if (!parsed || !is_named(node, root)) return error(Code::kCorrupt, std::string("its answer is no ") + root);
  return node;
}

std::unexpected<Status> endless_page() { return error(Code::kCorrupt, "its answer is a page that says neither where it ends nor that it is the last"); }

// Keys were asked for in URL encoding, since XML cannot carry every one.
Result<std::string> key_text(const std::string& text, bool encoded) {
  if (!encoded) return text;
  std::string plain = text;
  for (char& c : plain) {
    if (c == '+') c = ' ';
  }
  auto decoded = percent_decode(plain);
  if (!decoded) return error(Code::kCorrupt, "its answer has a key that cannot be decoded");
  return std::move(*decoded);
}

}  // namespace

std::string unquoted(std::string_view etag) {
  std::string plain(etag);
  std::erase(plain, '"');
  return plain;
}

Result<RemotePage> list_answer(const std::string& body) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, "ListBucketResult"));
  const bool encoded = text_of(root, "EncodingType") == "url";
  RemotePage page;
  for (const pugi::xml_node& node : root.children()) {
    if (is_named(node, "CommonPrefixes")) {
      HF_TRY(std::string prefix, key_text(text_of(node, "Prefix"), encoded));
      page.common_prefixes.push_back(std::move(prefix));
    }
    if (!is_named(node, "Contents")) continue;
    RemoteObject o;
    HF_TRY(o.key, key_text(text_of(node, "Key"), encoded));
    HF_TRY(o.size_bytes, number_of(node, "Size"));
    o.etag = unquoted(text_of(node, "ETag"));
    o.modified_ms = parse_iso8601(text_of(node, "LastModified")).value_or(0);
    page.objects.push_back(std::move(o));
  }
  if (text_of(root, "IsTruncated") == "true") {
    page.next = text_of(root, "NextContinuationToken");
    if (page.next.empty()) return endless_page();
  }
  return page;
}

Result<VersionsAnswer> versions_answer(const std::string& body) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, "ListVersionsResult"));
  const bool encoded = text_of(root, "EncodingType") == "url";
  VersionsAnswer answer;
  for (const pugi::xml_node& node : root.children()) {
    RemoteVersion v;
    v.is_marker = is_named(node, "DeleteMarker");
    if (!v.is_marker && !is_named(node, "Version")) continue;
    HF_TRY(v.key, key_text(text_of(node, "Key"), encoded));
    v.id = text_of(node, "VersionId");
    if (v.id.empty()) return error(Code::kCorrupt, "its answer has a version without an id");
    if (!v.is_marker) {
      HF_TRY(v.size_bytes, number_of(node, "Size"));
      v.etag = unquoted(text_of(node, "ETag"));
    }
    v.modified_ms = parse_iso8601(text_of(node, "LastModified")).value_or(0);
    v.is_latest = text_of(node, "IsLatest") == "true";
    answer.versions.push_back(std::move(v));
  }
  if (text_of(root, "IsTruncated") == "true") {
    HF_TRY(answer.next_key, key_text(text_of(root, "NextKeyMarker"), encoded));
    answer.next_id = text_of(root, "NextVersionIdMarker");
    if (answer.next_key.empty()) return endless_page();
  }
  return answer;
}

Result<std::vector<RemoteUpload>> uploads_answer(const std::string& body) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, "ListMultipartUploadsResult"));
  const bool encoded = text_of(root, "EncodingType") == "url";
  std::vector<RemoteUpload> uploads;
  for (const pugi::xml_node& node : root.children()) {
    if (!is_named(node, "Upload")) continue;
    RemoteUpload u;
    HF_TRY(u.key, key_text(text_of(node, "Key"), encoded));
    u.id = text_of(node, "UploadId");
    u.initiated_ms = parse_iso8601(text_of(node, "Initiated")).value_or(0);
    uploads.push_back(std::move(u));
  }
  return uploads;
}

Result<PartsAnswer> parts_answer(const std::string& body) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, "ListPartsResult"));
  PartsAnswer answer;
  for (const pugi::xml_node& node : root.children()) {
    if (!is_named(node, "Part")) continue;
    RemotePart p;
    HF_TRY(const uint64_t number, number_of(node, "PartNumber"));
    p.number = static_cast<uint32_t>(std::min<uint64_t>(number, UINT32_MAX));
    p.etag = unquoted(text_of(node, "ETag"));
    HF_TRY(p.size_bytes, number_of(node, "Size"));
    answer.parts.push_back(std::move(p));
  }
  if (text_of(root, "IsTruncated") == "true") {
    answer.next = text_of(root, "NextPartNumberMarker");
    if (answer.next.empty()) return endless_page();
  }
  return answer;
}

Result<Pairs> tags_answer(const std::string& body) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, "Tagging"));
  Pairs tags;
  for (const pugi::xml_node& set : root.children()) {
    for (const pugi::xml_node& tag : set.children()) tags.emplace_back(text_of(tag, "Key"), text_of(tag, "Value"));
  }
  return tags;
}

Result<std::string> child_answer(const std::string& body, const char* root_name, const char* child) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, rooted(document, body, root_name));
  return text_of(root, child);
}

ErrorAnswer error_answer(const std::string& body) {
  pugi::xml_document document;
  const auto root = rooted(document, body, "Error");
  if (!root) return {};
  ErrorAnswer answer{text_of(*root, "Code"), text_of(*root, "Message")};
  if (answer.code.empty()) answer.code = "Error";
  return answer;
}

std::string retention_document(int64_t until_ms) {
  return "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode><RetainUntilDate>" + rfc3339(until_ms) + "</RetainUntilDate></Retention>";
}

std::string complete_document(const std::vector<RemotePart>& parts) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (const RemotePart& p : parts) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(p.number);
    part.append_child("ETag").text().set(("\"" + p.etag + "\"").c_str());
  }
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

}  // namespace holdfast
