#include "k8s/trial/readiness.h"

#include <algorithm>
#include <array>

namespace holdfast::k8s {

namespace {

// Where the status of a workload counts what is ready, and what says how many there are to be; in spec, else in status.
struct Counted {
  std::string_view group_resource, ready, wanted;
  bool wanted_in_spec;
};
constexpr std::array<Counted, 4> kCounted{{{"deployments.apps", "availableReplicas", "replicas", true},
                                           {"statefulsets.apps", "readyReplicas", "replicas", true},
                                           {"replicasets.apps", "readyReplicas", "replicas", true},
                                           {"daemonsets.apps", "numberReady", "desiredNumberScheduled", false}}};

const Counted* counted(const std::string& group_resource) {
  const auto found = std::find_if(kCounted.begin(), kCounted.end(), [&](const Counted& c) { return c.group_resource == group_resource; });
  return found == kCounted.end() ? nullptr : &*found;
}

std::optional<std::string> about_workload(const Counted& c, const json::object& object) {
  const json::object& spec = object_at(object, "spec");
  const json::object& status = object_at(object, "status");
  if (count_at(status, "observedGeneration") < count_at(object_at(object, "metadata"), "generation")) return "its controller has not seen it yet";
  const json::object& says = c.wanted_in_spec ? spec : status;
  // A workload that does not say has one pod.
  const uint64_t wanted = says.contains(c.wanted) ? count_at(says, c.wanted) : c.wanted_in_spec ? 1 : 0;
  const uint64_t ready = count_at(status, c.ready);
  if (ready >= wanted) return std::nullopt;
  return std::to_string(ready) + " of " + std::to_string(wanted) + " pods are ready";
}

std::optional<std::string> about_pod(const json::object& pod) {
  const json::object& status = object_at(pod, "status");
  if (view_at(status, "phase") == "Succeeded") return std::nullopt;
  for (const json::value& v : array_at(status, "conditions")) {
    if (v.is_object() && view_at(v.get_object(), "type") == "Ready" && view_at(v.get_object(), "status") == "True") return std::nullopt;
  }
  const std::string phase = text_at(status, "phase");
  return "it is " + (phase.empty() || phase == "Running" ? "not ready" : phase);
}

}  // namespace

bool has_readiness(const std::string& group_resource) { return counted(group_resource) != nullptr || group_resource == "pods" || group_resource == "persistentvolumeclaims"; }

std::optional<std::string> why_not_ready(const std::string& group_resource, const json::object& object) {
  if (const Counted* c = counted(group_resource)) return about_workload(*c, object);
  if (group_resource == "pods") return about_pod(object);
  if (group_resource != "persistentvolumeclaims") return std::nullopt;
  const std::string phase = text_at(object_at(object, "status"), "phase");
  if (phase == "Bound") return std::nullopt;
  return "it is " + (phase.empty() ? "not bound" : phase);
}

bool is_made_by_controller(const json::object& object) {
  const json::array& owners = array_at(object_at(object, "metadata"), "ownerReferences");
  return std::any_of(owners.begin(), owners.end(), [](const json::value& v) { return v.is_object() && is_true(v.get_object(), "controller"); });
}

std::string container_problem(const json::object& pod) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const json::value& v : array_at(object_at(pod, "status"), list)) {
      if (!v.is_object()) continue;
      const json::object& state = object_at(v.get_object(), "state");
      for (const char* how : {"waiting", "terminated"}) {
        const std::string reason = text_at(object_at(state, how), "reason");
        if (!reason.empty() && reason != "Completed" && reason != "PodInitializing") return "container " + text_at(v.get_object(), "name") + ": " + reason;
      }
    }
  }
  for (const json::value& v : array_at(object_at(pod, "status"), "conditions")) {
    if (v.is_object() && view_at(v.get_object(), "type") == "PodScheduled" && view_at(v.get_object(), "status") == "False") return "it is not scheduled: " + text_at(v.get_object(), "message");
  }
  return {};
}

}  // namespace holdfast::k8s
