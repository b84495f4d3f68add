// The answer to a watch, one JSON object a line, cut into events while it arrives:
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#pragma once

#include <functional>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// One change. ADDED, MODIFIED, DELETED; BOOKMARK bears nothing but a resource version.
struct WatchEvent {
  std::string type;
  json::object object;
};

// Not thread-safe. Holds one event.
class EventLines {
 public:
  using OnEvent = std::function<Result<void>(WatchEvent)>;
  explicit EventLines(const OnEvent& on_event, size_t max_event_bytes = 16 << 20) : on_event_(on_event), max_event_bytes_(max_event_bytes) {}

  // kCorrupt: a line is no event; kInvalidArgument: one is too large; the error that an event of type ERROR bears, or
  // on_event's.
  Result<void> feed(std::string_view piece);

 private:
  Result<void> take(std::string_view line) const;

  const OnEvent& on_event_;
  const size_t max_event_bytes_;
  std::string line_;
};

}  // namespace holdfast::k8s
