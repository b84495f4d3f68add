// What S3 servers answer, and the markers of copies: read or refused, never believed beyond what they say.
#include <cstdlib>

#include "daemon/replicator/repository_list.h"
#include "storage/remote/s3_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto page = holdfast::list_answer(text)) {
    for (const auto& o : page->objects) (void)holdfast::unit_of_key(o.key);
  }
  (void)holdfast::uploads_answer(text);
  (void)holdfast::versions_answer(text);
  if (const auto parts = holdfast::parts_answer(text)) {
    if (holdfast::complete_document(parts->parts).empty()) std::abort();
  }
  (void)holdfast::tags_answer(text);
  (void)holdfast::child_answer(text, "CompleteMultipartUploadResult", "ETag");
  (void)holdfast::error_answer(text);
  if (const auto unit = holdfast::unit_of_key(text)) {
    if (holdfast::marker_key(*unit) != text) std::abort();
  }
  if (const auto contents = holdfast::contents_of_marker(text)) {
    const auto again = holdfast::contents_of_marker(holdfast::marker_body({}, *contents));
    if (!again || again->objects.size() != contents->objects.size() || again->repositories.size() != contents->repositories.size()) std::abort();
  }
  if (const auto list = holdfast::parse_list(text)) {
    const auto body = holdfast::list_body(*list);
    if (!body || !holdfast::parse_list(*body)) std::abort();
  }
  (void)holdfast::point_of_list(text);
  return 0;
}
