#include "k8s/hooks/pod_backup_hooks.h"

#include "k8s/spec/resource_names.h"

namespace holdfast::k8s {

namespace {

const char* text_of(HookPhase phase) { return phase == HookPhase::kPre ? "pre" : "post"; }

}  // namespace

PodBackupHooks::PodBackupHooks(std::vector<BackupHooks> hooks, const Discovery& discovery, Runner runner, RunLog& log)
    : hooks_(std::move(hooks)), runner_(std::move(runner)), log_(log) {
  for (BackupHooks& h : hooks_) h.scope.resources = resolved(h.scope.resources, discovery);
}

std::vector<PodBackupHooks::Named> PodBackupHooks::hooks_of(HookPhase phase, const json::object& pod, std::vector<std::string>& problems) const {
  const json::object& metadata = object_at(pod, "metadata");
  if (auto own = backup_hook_of(object_at(metadata, "annotations"), phase, problems)) return {{"<from-annotation>", std::move(*own)}};
  std::vector<Named> out;
  for (const BackupHooks& h : hooks_) {
    if (!h.scope.covers(text_at(metadata, "namespace"), object_at(metadata, "labels"))) continue;
    for (const ExecHook& hook : phase == HookPhase::kPre ? h.pre : h.post) out.push_back({h.scope.name, hook});
  }
  return out;
}

bool PodBackupHooks::any_for(const json::object& pod) const {
  std::vector<std::string> ignored;
  return !hooks_of(HookPhase::kPre, pod, ignored).empty() || !hooks_of(HookPhase::kPost, pod, ignored).empty();
}

bool PodBackupHooks::run(HookPhase phase, const json::object& pod) {
  const json::object& metadata = object_at(pod, "metadata");
  const std::string name_space = text_at(metadata, "namespace"), pod_name = name_space + "/" + text_at(metadata, "name");
  const std::string where = "resource: /pods name: /" + text_at(metadata, "name") + " message: /";
  std::vector<std::string> problems;
  const std::vector<Named> hooks = hooks_of(phase, pod, problems);
  for (const std::string& problem : problems) log_.warning(name_space, where + "the annotation of its " + text_of(phase) + " hook: " + problem + "; 30s hold instead");
  attempted_ += hooks.size();
  for (const Named& h : hooks) {
    const std::string what = std::string(text_of(phase)) + " hook " + h.name + " of pod " + pod_name;
    const std::string problem = run_hook(what, h.hook, pod, [&](const PodCommand& command) { return runner_(phase, command); }, log_);
    if (problem.empty()) continue;
    ++failed_;
    log_.error(name_space, where + "its " + text_of(phase) + " hook " + h.name + " failed: " + problem);
    if (h.hook.fail) return false;
  }
  return true;
}

}  // namespace holdfast::k8s
