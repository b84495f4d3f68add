#include "k8s/client/event_lines.h"

#include "k8s/client/api_error.h"

namespace holdfast::k8s {

Result<void> EventLines::feed(std::string_view piece) {
  for (size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    line_.append(piece.substr(0, end));
    piece.remove_prefix(end + 1);
    HF_CHECK(take(line_));
    line_.clear();
  }
  if (line_.size() + piece.size() > max_event_bytes_) return error(Code::kInvalidArgument, "a watch event is larger than " + std::to_string(max_event_bytes_) + " bytes");
  line_.append(piece);
  return {};
}

Result<void> EventLines::take(std::string_view line) const {
  if (line.find_first_not_of(" \r") == std::string_view::npos) return {};
  auto parsed = parse_object(line);
  if (!parsed) return error(Code::kCorrupt, "a watch event cannot be read: " + parsed.error().message());
  WatchEvent event{text_at(*parsed, "type"), {}};
  if (json::object* object = object_in(*parsed, "object")) event.object = std::move(*object);
  if (event.type == "ERROR") return std::unexpected(api_error("watch", static_cast<unsigned>(count_at(event.object, "code")), event.object));
  return on_event_(std::move(event));
}

}  // namespace holdfast::k8s
