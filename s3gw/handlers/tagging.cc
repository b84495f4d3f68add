#include "s3gw/handlers/tagging.h"

#include <algorithm>

#include "s3gw/handlers/request_parts.h"

namespace holdfast::s3 {

namespace {

// Letters of any script, digits, spaces and + - = . _ : / @, at most `max` characters.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
bool valid_tag_text(std::string_view text, size_t max) {
  if (!valid_utf8(text)) return false;
  size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) ++characters;
    const bool plain = byte >= 0x80 || std::isalnum(byte) != 0 || std::string_view(" +-=._:/@").find(c) != std::string_view::npos;
    if (!plain) return false;
  }
  return characters <= max;
}

S3Result<void> check_tag(const std::string& name, const std::string& value, const Pairs& before) {
  const ErrorFields fields = {{"TagKey", name}, {"TagValue", value}};
  if (name.empty() || !valid_tag_text(name, 128)) return s3_fail_with(fields, "InvalidTag", "The TagKey you have provided is invalid");
  if (!valid_tag_text(value, 256)) return s3_fail_with(fields, "InvalidTag", "The TagValue you have provided is invalid");
  const bool twice = std::any_of(before.begin(), before.end(), [&](const auto& t) { return t.first == name; });
  if (twice) return s3_fail_with(fields, "InvalidTag", "Cannot provide multiple Tags with the same key");
  return {};
}

}  // namespace

S3Result<Pairs> parse_tagging_header(std::string_view text) {
  const auto parsed = Query::parse(text);
  Pairs tags;
  bool valid = parsed.has_value();
  for (size_t i = 0; valid && i < parsed->all().size(); ++i) {
    const auto& [name, value] = parsed->all()[i];
    const bool twice = std::any_of(tags.begin(), tags.end(), [&](const auto& t) { return t.first == name; });
    valid = !name.empty() && !twice;
    tags.emplace_back(name, value);
  }
  for (const auto& [name, value] : tags) {
    if (valid) HF_CHECK(check_tag(name, value, {}));
  }
  if (!valid) {
    return bad_argument("x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                                               "query parameters without tag name duplicates.");
  }
  if (tags.size() > 10) return s3_fail("BadRequest", "Object tags cannot be greater than 10");
  return tags;
}

S3Result<Pairs> parse_tagging_document(std::string_view body, size_t max_tags) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, body, "Tagging"));
  const pugi::xml_node set = root.child("TagSet");
  if (!set) return s3_fail("MalformedXML");
  return parse_tag_list(set, max_tags);
}

S3Result<Pairs> parse_tag_list(const pugi::xml_node& set, size_t max_tags) {
  Pairs tags;
  for (const pugi::xml_node tag : set.children("Tag")) {
    std::string name = tag.child("Key").child_value();
    std::string value = tag.child("Value").child_value();
    HF_CHECK(check_tag(name, value, tags));
    tags.emplace_back(std::move(name), std::move(value));
  }
  if (tags.size() <= max_tags) return tags;
  return s3_fail("BadRequest", max_tags == kMaxBucketTags ? "Bucket tag count cannot be greater than 50"
                                                          : "Object tags cannot be greater than 10");
}

std::string tagging_document(const Pairs& tags) {
  XmlWriter xml;
  xml.root("Tagging");
  xml.open("TagSet");
  for (const auto& [name, value] : tags) {
    xml.open("Tag");
    xml.text("Key", name);
    xml.text("Value", value);
    xml.close("Tag");
  }
  xml.close("TagSet");
  xml.close("Tagging");
  return xml.take();
}

}  // namespace holdfast::s3
