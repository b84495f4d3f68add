// Objects that are under way by a server that is not this one.
#pragma once

#include <map>
#include <string>

#include "k8s/velero/server_context.h"

namespace holdfast::k8s {

// Does it bear this server's mark?
inline bool is_ours(const json::object& object, const ServerContext& context) {
  return view_at(object_at(metadata_of(object), "annotations"), kServerAnnotation) == context.options.appliance_id;
}

// Not thread-safe.
class Strangers {
 public:
  // How long it is to be left alone; nothing: for ten minutes it has not changed, so its run has ended with its server.
  LookAgain leave_alone(const json::object& object, Clock& clock);

 private:
  std::map<std::string, std::pair<std::string, int64_t>> seen_;  // by name: version, and since when
};

}  // namespace holdfast::k8s
