// What S3 servers answer, and the markers of copies: read or refused, never believed beyond what they say.
#include <cstdlib>

#include "daemon/replicator/site_unit.h"
#include "storage/remote/s3_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto page = holdfast::list_answer(text)) {
    for (const auto& o : page->objects) (void)holdfast::unit_of_key(o.key);
  }
  (void)holdfast::uploads_answer(text);
  if (const auto parts = holdfast::parts_answer(text)) {
    if (holdfast::complete_document(parts->parts).empty()) std::abort();
  }
  (void)holdfast::tags_answer(text);
  (void)holdfast::child_answer(text, "CompleteMultipartUploadResult", "ETag");
  (void)holdfast::error_answer(text);
  if (const auto unit = holdfast::unit_of_key(text)) {
    if (holdfast::marker_key(*unit) != text) std::abort();
  }
  if (const auto objects = holdfast::objects_of_marker(text)) {
    const auto again = holdfast::objects_of_marker(holdfast::marker_body({}, *objects));
    if (!again || again->size() != objects->size()) std::abort();
  }
  return 0;
}
