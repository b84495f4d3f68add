#include "k8s/spec/hooks.h"

#include "k8s/spec/go_duration.h"

namespace holdfast::k8s {

namespace {

using Problems = std::vector<std::string>;

// "[\"sh\", \"-c\", \"x\"]" is a list; anything else is one word.
std::vector<std::string> command_of(const std::string& text) {
  boost::system::error_code ec;
  const json::value parsed = text.starts_with('[') ? json::parse(text, ec) : json::value();
  if (ec || !parsed.is_array()) return {text};
  std::vector<std::string> out;
  for (const json::value& word : parsed.get_array()) {
    if (!word.is_string()) return {text};
    out.emplace_back(word.get_string());
  }
  return out;
}

int64_t timeout_at(const json::object& o, const std::string& key, const std::string& where, int64_t fallback_ms, Problems& problems) {
  const std::string text = text_at(o, key);
  if (text.empty()) return fallback_ms;
  const auto ms = parse_duration_ms(text);
  if (!ms || *ms < 0) problems.push_back(where + key + ": \"" + text + "\" is not a duration");
  return ms.value_or(0) > 0 ? *ms : fallback_ms;
}

HookScope scope_of(const json::object& o, const std::string& where, Problems& problems) {
  HookScope scope;
  scope.name = text_at(o, "name");
  scope.namespaces = {texts_at(o, "includedNamespaces"), texts_at(o, "excludedNamespaces")};
  scope.resources = {texts_at(o, "includedResources"), texts_at(o, "excludedResources")};
  if (const json::object& selector = object_at(o, "labelSelector"); !selector.empty()) {
    auto labels = LabelSelector::parse(selector);
    if (labels) scope.labels = std::move(*labels);
    else problems.push_back(where + "labelSelector: " + labels.error().message());
  }
  return scope;
}

void read_exec(const json::object& o, const std::string& where, const char* timeout_key, ExecHook& hook, Problems& problems) {
  hook.container = text_at(o, "container");
  hook.command = texts_at(o, "command");
  if (hook.command.empty()) problems.push_back(where + "command is required");
  const std::string mode = text_at(o, "onError");
  if (!mode.empty() && mode != "Continue" && mode != "Fail") problems.push_back(where + "onError: \"" + mode + "\" is neither Continue nor Fail");
  hook.fail = mode == "Fail";
  hook.timeout_ms = timeout_at(o, timeout_key, where, kDefaultHookTimeoutMs, problems);
}

std::vector<ExecHook> execs_of(const json::object& o, const char* key, const std::string& where, Problems& problems) {
  std::vector<ExecHook> out;
  for (const json::value& v : array_at(o, key)) {
    const json::object* entry = v.if_object();
    if (entry == nullptr || object_at(*entry, "exec").empty()) continue;
    read_exec(object_at(*entry, "exec"), where + key + ": ", "timeout", out.emplace_back(), problems);
  }
  return out;
}

// Calls `read` with each entry of hooks.resources and the words that lead to it.
template <class Read>
void each_entry(const json::object& spec, Read read, Problems& problems) {
  size_t at = 0;
  for (const json::value& v : array_at(object_at(spec, "hooks"), "resources")) {
    const std::string where = "hooks.resources[" + std::to_string(at++) + "]: ";
    if (v.is_object()) read(v.get_object(), where);
    else problems.push_back(where + "is no object");
  }
}

void read_init_containers(const json::object& init, const std::string& where, RestoreHooks& hooks, Problems& problems) {
  for (const json::value& container : array_at(init, "initContainers")) {
    const json::object* c = container.if_object();
    const bool whole = c != nullptr && !texts_at(*c, "command").empty() && !view_at(*c, "name").empty() && !view_at(*c, "image").empty();
    if (whole) hooks.init_containers.push_back(container);
    else problems.push_back("invalid init container in restore hook \"" + hooks.scope.name + "\": " + where + "it needs command, name and image");
  }
}

}  // namespace

bool HookScope::covers(const std::string& name_space, const json::object& pod_labels) const {
  return namespaces.includes(name_space) && resources.includes("pods") && (!labels || labels->matches(pod_labels));
}

std::vector<BackupHooks> parse_backup_hooks(const json::object& spec, Problems& problems) {
  std::vector<BackupHooks> out;
  each_entry(spec, [&](const json::object& o, const std::string& where) {
    BackupHooks& hooks = out.emplace_back();
    hooks.scope = scope_of(o, where, problems);
    hooks.pre = execs_of(o, "pre", where, problems);
    hooks.post = execs_of(o, "post", where, problems);
  }, problems);
  return out;
}

std::optional<ExecHook> backup_hook_of(const json::object& annotations, HookPhase phase, Problems& problems) {
  const std::string stem = "hook.backup.velero.io/";
  std::string prefix = (phase == HookPhase::kPre ? "pre." : "post.") + stem;
  if (phase == HookPhase::kPre && view_at(annotations, prefix + "command").empty()) prefix = stem;
  const std::string command = text_at(annotations, prefix + "command");
  if (command.empty()) return std::nullopt;
  ExecHook hook;
  hook.command = command_of(command);
  hook.container = text_at(annotations, prefix + "container");
  hook.fail = view_at(annotations, prefix + "on-error") == "Fail";
  hook.timeout_ms = timeout_at(annotations, prefix + "timeout", "", kDefaultHookTimeoutMs, problems);
  return hook;
}

std::vector<RestoreHooks> parse_restore_hooks(const json::object& spec, Problems& problems) {
  std::vector<RestoreHooks> out;
  each_entry(spec, [&](const json::object& o, const std::string& where) {
    RestoreHooks& hooks = out.emplace_back();
    hooks.scope = scope_of(o, where, problems);
    hooks.scope.resources = {};
    for (const json::value& v : array_at(o, "postHooks")) {
      const json::object* entry = v.if_object();
      if (entry == nullptr) continue;
      read_init_containers(object_at(*entry, "init"), where, hooks, problems);
      const json::object& exec = object_at(*entry, "exec");
      if (exec.empty()) continue;
      RestoreExecHook& hook = hooks.exec.emplace_back();
      read_exec(exec, where + "postHooks: ", "execTimeout", hook, problems);
      hook.name = hooks.scope.name;
      hook.wait_timeout_ms = timeout_at(exec, "waitTimeout", where, 0, problems);
      hook.wait_for_ready = is_true(exec, "waitForReady");
    }
  }, problems);
  return out;
}

std::optional<RestoreExecHook> restore_hook_of(const json::object& annotations, Problems& problems) {
  const std::string prefix = "post.hook.restore.velero.io/";
  const std::string command = text_at(annotations, prefix + "command");
  if (command.empty()) return std::nullopt;
  RestoreExecHook hook;
  hook.name = "<from-annotation>";
  hook.command = command_of(command);
  hook.container = text_at(annotations, prefix + "container");
  hook.fail = view_at(annotations, prefix + "on-error") == "Fail";
  hook.timeout_ms = timeout_at(annotations, prefix + "exec-timeout", "", kDefaultHookTimeoutMs, problems);
  hook.wait_timeout_ms = timeout_at(annotations, prefix + "wait-timeout", "", 0, problems);
  const std::string ready = text_at(annotations, prefix + "wait-for-ready");
  // What Go's ParseBool takes for true.
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) hook.wait_for_ready = hook.wait_for_ready || ready == yes;
  return hook;
}

std::optional<json::object> init_container_of(const json::object& annotations, const std::string& generated_name) {
  const std::string prefix = "init.hook.restore.velero.io/";
  const std::string image = text_at(annotations, prefix + "container-image");
  if (image.empty()) return std::nullopt;
  const std::string name = text_at(annotations, prefix + "container-name"), command = text_at(annotations, prefix + "command");
  json::object container{{"name", name.empty() ? generated_name : name}, {"image", image}};
  if (!command.empty()) {
    json::array words;
    for (const std::string& word : command_of(command)) words.emplace_back(word);
    container["command"] = std::move(words);
  }
  return container;
}

}  // namespace holdfast::k8s
