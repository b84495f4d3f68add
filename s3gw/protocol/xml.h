// XML out (a writer that escapes) and in (bounded documents, no entities, namespaces ignored).
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "s3gw/protocol/s3_error.h"

namespace holdfast::s3 {

class XmlWriter {
 public:
  XmlWriter() : out_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") {}
  // The root element, with S3's namespace.
  void root(std::string_view name);
  void open(std::string_view name);
  void close(std::string_view name);
  void text(std::string_view name, std::string_view value);
  void number(std::string_view name, uint64_t value) { text(name, std::to_string(value)); }
  void flag(std::string_view name, bool value) { text(name, value ? "true" : "false"); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Parses a request body whose root element has the given name. MalformedXML otherwise.
S3Result<pugi::xml_node> parse_xml(pugi::xml_document& document, std::string_view body, std::string_view root);

// Trimmed text of the first child element of that name; empty when there is none.
std::string child_text(const pugi::xml_node& node, const char* name);

}  // namespace holdfast::s3
