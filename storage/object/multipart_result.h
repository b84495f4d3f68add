// What a completed upload becomes: the check of its part list, its ETag and its checksum.
#pragma once

#include "storage/index/facts.h"
#include "storage/object_store.h"

namespace holdfast {

inline constexpr uint32_t kMaxParts = 10'000;

// Identifies a part list, to recognise a repeated completion.
std::string part_list_fingerprint(const std::vector<CompletedPart>& parts);

// Picks the requested parts out of those stored. Errors (kInvalidArgument): kPart, one is missing or another;
// kPartOrder, numbers do not rise; kPartSize, one but the last is too small; kBody, the checksum does not match.
// Sizes, ETag ("<md5 of md5s>-<parts>") and checksum are set; bucket, seq and time are the caller's.
Result<StoredVersion> assemble(const Upload& upload, std::vector<StoredPart> stored, const CompleteRequest& request);

}  // namespace holdfast
