#include "k8s/velero/strangers.h"

namespace holdfast::k8s {

namespace {
constexpr int64_t kQuietMs = 600'000;
}

LookAgain Strangers::leave_alone(const json::object& object, Clock& clock) {
  const std::string name = name_of(object), now = text_at(metadata_of(object), "resourceVersion");
  const int64_t now_ms = clock.monotonic_ms();
  auto& [version, since_ms] = seen_[name];
  if (version != now) since_ms = now_ms;
  version = now;
  const int64_t left_ms = kQuietMs - (now_ms - since_ms);
  if (left_ms > 0) return std::chrono::milliseconds(left_ms);
  seen_.erase(name);
  return std::nullopt;
}

}  // namespace holdfast::k8s
