#include "s3gw/protocol/xml.h"

namespace holdfast::s3 {

namespace {
void append_escaped(std::string& out, std::string_view text) {
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\r': out += "&#13;"; break;
      default:
        // XML 1.0 has no way to write other control characters; clients that need them ask for encoding-type=url.
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out += "&#" + std::to_string(static_cast<int>(c)) + ";";
        } else {
          out += c;
        }
    }
  }
}
}  // namespace

void XmlWriter::root(std::string_view name) {
  out_ += '<';
  out_ += name;
  out_ += " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
}
void XmlWriter::open(std::string_view name) {
  out_ += '<';
  out_ += name;
  out_ += '>';
}
void XmlWriter::close(std::string_view name) {
  out_ += "</";
  out_ += name;
  out_ += '>';
}
void XmlWriter::text(std::string_view name, std::string_view value) {
  open(name);
  append_escaped(out_, value);
  close(name);
}

S3Result<pugi::xml_node> parse_xml(pugi::xml_document& document, std::string_view body, std::string_view root) {
  // A document type could declare entities; no S3 body has one.
  if (body.find("<!DOCTYPE") != std::string_view::npos) return s3_fail("MalformedXML");
  const auto parsed = document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
  const pugi::xml_node node = document.document_element();
  if (!parsed || node.name() != root) return s3_fail("MalformedXML");
  return node;
}

std::string child_text(const pugi::xml_node& node, const char* name) {
  std::string text = node.child(name).child_value();
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace holdfast::s3
