#include "k8s/hooks/pod_restore_hooks.h"

#include <algorithm>

namespace holdfast::k8s {

namespace {

constexpr size_t kWorkers = 8;
constexpr const char* kEndedByFailure = "another hook failed whose onError is Fail";

std::string key_of(const json::object& pod) {
  const json::object& metadata = object_at(pod, "metadata");
  return text_at(metadata, "namespace") + "/" + text_at(metadata, "name");
}

bool has_container(const json::object& pod, const std::string& name) {
  const json::array& all = array_at(object_at(pod, "spec"), "containers");
  return std::any_of(all.begin(), all.end(), [&](const json::value& v) { return v.is_object() && view_at(v.get_object(), "name") == name; });
}

bool is_up(const json::object& pod, const std::string& container, bool ready) {
  for (const json::value& v : array_at(object_at(pod, "status"), "containerStatuses")) {
    const json::object* c = v.if_object();
    if (c == nullptr || view_at(*c, "name") != container) continue;
    return ready ? is_true(*c, "ready") : !object_at(*c, "state").empty() && object_at(*c, "state").contains("running");
  }
  return false;
}

bool wants_ready(const std::vector<RestoreExecHook>& hooks) {
  return std::any_of(hooks.begin(), hooks.end(), [](const RestoreExecHook& h) { return h.wait_for_ready; });
}

}  // namespace

PodRestoreHooks::PodRestoreHooks(std::vector<RestoreHooks> hooks, RestoreHookParts parts, RunLog& log)
    : hooks_(std::move(hooks)), p_(std::move(parts)), log_(log) {}

PodRestoreHooks::~PodRestoreHooks() {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  threads_.clear();
}

void PodRestoreHooks::prepare(json::object& pod, const std::string& name_space, const std::string& generated_name) const {
  const json::object& metadata = object_at(pod, "metadata");
  json::array first;
  if (auto own = init_container_of(object_at(metadata, "annotations"), generated_name)) {
    first.push_back(std::move(*own));
  } else {
    for (const RestoreHooks& h : hooks_) {
      if (!h.scope.covers(name_space, object_at(metadata, "labels"))) continue;
      first.insert(first.end(), h.init_containers.begin(), h.init_containers.end());
    }
  }
  json::object* spec = object_in(pod, "spec");
  if (first.empty() || spec == nullptr) return;
  for (const json::value& container : array_at(*spec, "initContainers")) first.push_back(container);
  (*spec)["initContainers"] = std::move(first);
}

std::vector<RestoreExecHook> PodRestoreHooks::hooks_of(const json::object& pod) const {
  const json::object& metadata = object_at(pod, "metadata");
  const std::string name_space = text_at(metadata, "namespace");
  std::vector<std::string> problems;
  std::vector<RestoreExecHook> out;
  if (auto own = restore_hook_of(object_at(metadata, "annotations"), problems)) {
    for (const std::string& problem : problems) log_.warning(name_space, "pod " + key_of(pod) + ": the annotation of its restore hook: " + problem);
    out.push_back(std::move(*own));
  } else {
    for (const RestoreHooks& h : hooks_) {
      if (h.scope.covers(name_space, object_at(metadata, "labels"))) out.insert(out.end(), h.exec.begin(), h.exec.end());
    }
  }
  const json::array& containers = array_at(object_at(pod, "spec"), "containers");
  for (RestoreExecHook& h : out) {
    if (h.container.empty() && !containers.empty() && containers[0].is_object()) h.container = text_at(containers[0].get_object(), "name");
  }
  return out;
}

void PodRestoreHooks::add(const json::object& pod) {
  std::vector<RestoreExecHook> hooks = hooks_of(pod);
  if (hooks.empty()) return;
  Pod added{key_of(pod), text_at(object_at(pod, "metadata"), "namespace"), SteadyClock::now(), {}};
  std::lock_guard lock(mutex_);
  attempted_ += hooks.size();
  for (RestoreExecHook& h : hooks) {
    if (!has_container(pod, h.container)) {
      fail(added, h, "the pod has no such container");
      continue;
    }
    auto group = std::find_if(added.groups.begin(), added.groups.end(), [&](const Group& g) { return g.container == h.container; });
    if (group == added.groups.end()) group = added.groups.insert(group, Group{h.container, {}});
    group->hooks.push_back(std::move(h));
  }
  if (added.groups.empty()) return;
  pending_ += added.groups.size();
  pods_.push_back(std::move(added));
  start_threads();
}

void PodRestoreHooks::start_threads() {
  if (!threads_.empty()) return;
  threads_.emplace_back([this](std::stop_token stop) { watch(std::move(stop)); });
  for (size_t i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { work(); });
}

void PodRestoreHooks::watch(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!over_) {
    std::set<std::string> waiting;
    for (const Pod& p : pods_) {
      if (std::any_of(p.groups.begin(), p.groups.end(), [](const Group& g) { return !g.begun; })) waiting.insert(p.key);
    }
    if (!waiting.empty()) {
      lock.unlock();
      const auto pods = p_.look_up(waiting);
      lock.lock();
      if (!pods) log_.info("post-restore hooks: " + pods.error().message());
      for (Pod& pod : pods_) {
        if (waiting.contains(pod.key)) look(pod, pods ? &*pods : nullptr);
      }
    }
    changed_.wait_for(lock, stop, p_.look_every, [&] { return over_; });
  }
}

void PodRestoreHooks::look(Pod& pod, const RestoredPods* pods) {
  const auto now = SteadyClock::now();
  std::shared_ptr<const json::object> live;
  if (pods != nullptr) {
    const auto found = pods->find(pod.key);
    if (found == pods->end()) return end_pending(pod, "the pod was deleted before");
    live = found->second;
    const std::string phase = text_at(object_at(*live, "status"), "phase");
    if (phase == "Succeeded" || phase == "Failed") return end_pending(pod, "the pod entered phase " + phase + " before");
  }
  std::optional<SteadyClock::time_point> end = pod.made;
  for (Group& g : pod.groups) {
    for (const RestoreExecHook& h : g.hooks) {
      const auto its_end = pod.made + std::chrono::milliseconds(h.wait_timeout_ms);
      if (h.wait_timeout_ms <= 0) end = std::nullopt;
      else if (end) end = std::max(*end, its_end);
    }
    if (g.begun || !live || !is_up(*live, g.container, wants_ready(g.hooks))) continue;
    g.begun = true;
    ready_.push_back({&pod, &g, live});
    changed_.notify_all();
  }
  if (!end) end = last_moment_;
  if (end && now > *end) end_pending(pod, "the container did not come up in time");
}

void PodRestoreHooks::end_pending(Pod& pod, const std::string& why) {
  for (Group& g : pod.groups) {
    if (g.begun) continue;
    g.begun = true;
    for (const RestoreExecHook& h : g.hooks) fail(pod, h, "it was not run: " + why);
    --pending_;
  }
  changed_.notify_all();
}

void PodRestoreHooks::fail(const Pod& pod, const RestoreExecHook& hook, const std::string& why) {
  ++failed_;
  log_.error(pod.name_space, "hook " + hook.name + " in container " + hook.container + " of pod " + pod.key + " failed: " + why);
}

void PodRestoreHooks::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return over_ || !ready_.empty(); });
    if (over_) return;
    const Task task = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    run(task);
    lock.lock();
    --pending_;
    changed_.notify_all();
  }
}

void PodRestoreHooks::run(const Task& task) {
  for (const RestoreExecHook& h : task.group->hooks) {
    const auto waited = SteadyClock::now() - task.pod->made;
    std::unique_lock lock(mutex_);
    if (ended_by_failure_ || over_) {
      fail(*task.pod, h, std::string("it was not run: ") + (ended_by_failure_ ? kEndedByFailure : "the restore has ended"));
      continue;
    }
    lock.unlock();
    std::string problem = "it expired before it could run";
    if (h.wait_timeout_ms <= 0 || waited <= std::chrono::milliseconds(h.wait_timeout_ms)) {
      problem = run_hook("hook " + h.name + " of pod " + task.pod->key, h, *task.live, p_.runner, log_);
    }
    if (problem.empty()) continue;
    lock.lock();
    fail(*task.pod, h, problem);
    ended_by_failure_ = ended_by_failure_ || h.fail;
  }
}

void PodRestoreHooks::finish(const std::function<bool()>& go_on) {
  std::unique_lock lock(mutex_);
  last_moment_ = SteadyClock::now() + p_.longest_wait;
  while (pending_ > 0 && go_on() && !ended_by_failure_) changed_.wait_for(lock, std::chrono::milliseconds(200));
  for (Pod& pod : pods_) end_pending(pod, ended_by_failure_ ? kEndedByFailure : "the server was stopped");
  changed_.wait(lock, [&] { return pending_ == 0; });
}

uint64_t PodRestoreHooks::attempted() const {
  std::lock_guard lock(mutex_);
  return attempted_;
}

uint64_t PodRestoreHooks::failed() const {
  std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace holdfast::k8s
