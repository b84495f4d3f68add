#include "k8s/hooks/hook_run.h"

#include <algorithm>

namespace holdfast::k8s {

namespace {

// The container of that name, or the first; empty where the pod has none such.
std::string container_of(const json::object& pod, const std::string& wanted) {
  for (const json::value& v : array_at(object_at(pod, "spec"), "containers")) {
    const std::string name = v.is_object() ? text_at(v.get_object(), "name") : std::string();
    if (wanted.empty() || name == wanted) return name;
  }
  return {};
}

}  // namespace

std::string run_hook(const std::string& what, const ExecHook& hook, const json::object& pod, const CommandRunner& runner, RunLog& log) {
  const json::object& metadata = object_at(pod, "metadata");
  const std::string phase = text_at(object_at(pod, "status"), "phase");
  if (phase == "Succeeded" || phase == "Failed") {
    log.info(what + " is not run: the pod is " + phase);
    return {};
  }
  PodCommand command{text_at(metadata, "namespace"), text_at(metadata, "name"), container_of(pod, hook.container), hook.command,
                     std::chrono::milliseconds(hook.timeout_ms)};
  if (command.container.empty()) return hook.container.empty() ? "the pod has no container" : "no such container: \"" + hook.container + "\"";
  log.info("Running " + what + " in container " + command.container);
  const auto output = runner(command);
  if (!output) return output.error().message();
  log.info(what + ": stdout: " + output->out + (output->cut ? " (cut)" : ""));
  log.info(what + ": stderr: " + output->err);
  return output->problem;
}

json::object hook_status(uint64_t attempted, uint64_t failed) {
  json::object out;
  if (attempted > 0) out["hooksAttempted"] = attempted;
  if (failed > 0) out["hooksFailed"] = failed;
  return out;
}

}  // namespace holdfast::k8s
