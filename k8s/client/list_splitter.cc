#include "k8s/client/list_splitter.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kMaxDepth = 512;
constexpr size_t kMaxMemberBytes = 1 << 20;

std::unexpected<Status> malformed(const char* what) { return error(Code::kCorrupt, std::string("the list is not JSON: ") + what); }

bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Where a string's plain bytes end: at a quote, a backslash, or the end.
size_t plain_end(std::string_view text, size_t at) {
  while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
  return at;
}

}  // namespace

std::string* ListSplitter::text_of(Part part) {
  switch (part) {
    case Part::kKey: return &key_;
    case Part::kItem: return &item_;
    case Part::kMetadata: return &metadata_;
    case Part::kKind: return &kind_;
    case Part::kNone: break;
  }
  return nullptr;
}

Result<void> ListSplitter::change_part(Part part, std::string_view piece, size_t end, size_t next) {
  if (std::string* text = text_of(part_)) {
    text->append(piece.substr(from_, end - from_));
    const size_t limit = part_ == Part::kItem ? max_item_bytes_ : kMaxMemberBytes;
    if (text->size() > limit) return error(Code::kInvalidArgument, "an item of the list is larger than " + std::to_string(limit) + " bytes");
  }
  part_ = part;
  from_ = next;
  return {};
}

Result<void> ListSplitter::feed(std::string_view piece) {
  from_ = 0;
  for (size_t i = 0; i < piece.size(); ++i) {
    if (!in_string_) {
      HF_CHECK(structural(piece, i));
      continue;
    }
    if (escaped_) {
      escaped_ = false;
      continue;
    }
    i = plain_end(piece, i);
    if (i == piece.size()) break;
    if (piece[i] == '\\') {
      escaped_ = true;
      continue;
    }
    in_string_ = false;
    if (part_ == Part::kKey) {
      HF_CHECK(change_part(Part::kNone, piece, i, i + 1));
      key_next_ = false;
    }
  }
  return change_part(part_, piece, piece.size(), 0);
}

Result<void> ListSplitter::structural(std::string_view piece, size_t i) {
  const char c = piece[i];
  if (done_ || stack_.empty()) {
    if (blank(c)) return {};
    if (done_ || c != '{') return malformed(done_ ? "something follows it" : "it is no object");
  }
  switch (c) {
    case '{':
    case '[':
      return open(piece, i);
    case '}':
    case ']':
      return close(piece, i);
    case '"':
      in_string_ = true;
      if (stack_.size() != 1 || !key_next_) return {};
      key_.clear();
      return change_part(Part::kKey, piece, i, i + 1);
    case ':':
      if (stack_.size() != 1) return {};
      return change_part(key_ == "metadata" ? Part::kMetadata : key_ == "kind" ? Part::kKind : Part::kNone, piece, i, i + 1);
    case ',':
      if (stack_.size() != 1) return {};
      key_next_ = true;
      return change_part(Part::kNone, piece, i, i + 1);
    default:
      return {};
  }
}

Result<void> ListSplitter::open(std::string_view piece, size_t i) {
  if (stack_.size() >= kMaxDepth) return malformed("it is nested too deep");
  if (stack_ == "{[" && key_ == "items") {
    if (piece[i] != '{') return malformed("an item is no object");
    item_.clear();
    HF_CHECK(change_part(Part::kItem, piece, i, i));
  }
  key_next_ = key_next_ || stack_.empty();
  stack_.push_back(piece[i]);
  return {};
}

Result<void> ListSplitter::close(std::string_view piece, size_t i) {
  if (stack_.back() != (piece[i] == '}' ? '{' : '[')) return malformed("its brackets do not match");
  if (stack_.size() == 1) HF_CHECK(change_part(Part::kNone, piece, i, i));
  stack_.pop_back();
  done_ = stack_.empty();
  if (stack_.size() != 2 || part_ != Part::kItem) return {};
  HF_CHECK(change_part(Part::kNone, piece, i + 1, i + 1));
  return on_item_(item_);
}

Result<void> ListSplitter::finish() const {
  if (!done_) return error(Code::kUnavailable, "the list was cut off");
  return {};
}

}  // namespace holdfast::k8s
