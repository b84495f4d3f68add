// Cuts a list as the API server answers it, {"kind":...,"metadata":{...},"items":[{...},...]}, into its items while it
// arrives: no more than one item is held.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace holdfast::k8s {

// Not thread-safe. What comes out is as the server wrote it and balanced, not checked further.
class ListSplitter {
 public:
  // Valid during the call.
  using OnItem = std::function<Result<void>(std::string_view item)>;
  explicit ListSplitter(OnItem on_item, size_t max_item_bytes = 16 << 20) : on_item_(std::move(on_item)), max_item_bytes_(max_item_bytes) {}

  // kCorrupt: not a JSON object; kInvalidArgument: an item over the limit; or on_item's error.
  Result<void> feed(std::string_view piece);
  // kUnavailable: the text ended before the list did.
  Result<void> finish() const;

  // Raw JSON of these members; empty while not seen. Strings with their quotes.
  const std::string& metadata() const { return metadata_; }
  const std::string& kind() const { return kind_; }

 private:
  enum class Part { kNone, kKey, kItem, kMetadata, kKind };
  // What has been seen up to `end` goes to the current part; from `next` on it is `part`.
  Result<void> change_part(Part part, std::string_view piece, size_t end, size_t next);
  Result<void> structural(std::string_view piece, size_t at);
  Result<void> open(std::string_view piece, size_t at);
  Result<void> close(std::string_view piece, size_t at);
  std::string* text_of(Part part);

  const OnItem on_item_;
  const size_t max_item_bytes_;
  std::string stack_;  // the open brackets
  bool in_string_ = false, escaped_ = false, done_ = false;
  bool key_next_ = false;  // the next string of the outermost object is a key
  Part part_ = Part::kNone;
  size_t from_ = 0;  // of the piece: where the current part begins
  std::string key_, item_, metadata_, kind_;
};

}  // namespace holdfast::k8s
