// XML documents of clients.
#include "s3gw/protocol/xml.h"

using namespace holdfast::s3;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* root : {"Delete", "CompleteMultipartUpload", "Tagging"}) {
    pugi::xml_document document;
    const auto node = parse_xml(document, text, root);
    if (!node) continue;
    for (const pugi::xml_node child : node->children()) {
      (void)child_text(child, "Key");
      // What is read can be written again as well-formed XML.
      XmlWriter out;
      out.root("R");
      out.text("K", child_text(child, "Key"));
      out.close("R");
      pugi::xml_document again;
      const std::string written = out.take();
      if (!again.load_buffer(written.data(), written.size())) __builtin_trap();
    }
  }
  return 0;
}
