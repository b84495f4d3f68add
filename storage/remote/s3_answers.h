// What S3 servers answer, in XML. https://docs.aws.amazon.com/AmazonS3/latest/API/
#pragma once

#include "storage/remote_store.h"

namespace holdfast {

// kCorrupt where it is not what was asked for.
Result<RemotePage> list_answer(const std::string& body);
struct VersionsAnswer {
  std::vector<RemoteVersion> versions;
  std::string next_key, next_id;  // what the next page begins behind; no key: this is the last
};
Result<VersionsAnswer> versions_answer(const std::string& body);
Result<std::vector<RemoteUpload>> uploads_answer(const std::string& body);
struct PartsAnswer {
  std::vector<RemotePart> parts;
  std::string next;  // the number that the next page begins behind; empty: this is the last
};
Result<PartsAnswer> parts_answer(const std::string& body);
Result<Pairs> tags_answer(const std::string& body);
// The text of a direct child of the root, whose name must be this one.
Result<std::string> child_answer(const std::string& body, const char* root, const char* child);

// An error document, also one that came with 200; `code` empty: it is none.
struct ErrorAnswer {
  std::string code, message;
};
ErrorAnswer error_answer(const std::string& body);

// An ETag without its quotes.
std::string unquoted(std::string_view etag);

// <Retention> in compliance mode
std::string retention_document(int64_t until_ms);
// <CompleteMultipartUpload>
std::string complete_document(const std::vector<RemotePart>& parts);

}  // namespace holdfast
