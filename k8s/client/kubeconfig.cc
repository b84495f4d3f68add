// kubeconfig, as k8s.io/client-go/tools/clientcmd/api/v1 describes it.
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "k8s/cluster_access.h"
#include "storage/base/bytes.h"

namespace holdfast::k8s {

namespace {

std::unexpected<Status> wrong(const std::string& what) { return error(Code::kInvalidArgument, Subject::kConfig, "kubeconfig: " + what); }

// A scalar of a map; empty when absent. yaml-cpp throws on misuse; parse_kubeconfig catches.
std::string scalar(const YAML::Node& map, const char* key) {
  const YAML::Node v = map[key];
  return v && v.IsScalar() ? v.Scalar() : std::string();
}

bool flag(const YAML::Node& map, const char* key) { return scalar(map, key) == "true"; }

// One of the lists "clusters", "users", "contexts": [{name, <body>}].
Result<YAML::Node> named(const YAML::Node& root, const char* list, const char* body, const std::string& name) {
  const YAML::Node entries = root[list];
  if (entries && entries.IsSequence()) {
    for (const YAML::Node& entry : entries) {
      if (!entry.IsMap() || scalar(entry, "name") != name) continue;
      const YAML::Node inner = entry[body];
      if (!inner || !inner.IsMap()) return wrong(std::string(body) + " \"" + name + "\" is empty");
      return inner;
    }
  }
  return wrong("there is no " + std::string(body) + " \"" + name + "\"");
}

// `key`-data in base64 if there, else the file that `key` names.
Result<std::string> data_or_file(const YAML::Node& map, const std::string& key, const FileReader& read_file) {
  if (const std::string data = scalar(map, (key + "-data").c_str()); !data.empty()) {
    std::string packed = data;
    std::erase_if(packed, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    const auto raw = from_base64(packed);
    if (!raw) return wrong(key + "-data is not base64");
    return std::string(as_text(*raw));
  }
  const std::string file = scalar(map, key.c_str());
  if (file.empty()) return std::string();
  auto text = read_file(file);
  if (!text) return wrong(key + ": " + text.error().message());
  return text;
}

Result<void> read_cluster(const YAML::Node& cluster, const FileReader& read_file, ClusterAccess& a) {
  a.server = scalar(cluster, "server");
  while (a.server.ends_with('/')) a.server.pop_back();
  if (a.server.starts_with("http://")) return wrong("server " + a.server + " is without TLS; only https is used");
  const std::string host = a.server.starts_with("https://") ? a.server.substr(8) : std::string();
  const bool plain = std::none_of(host.begin(), host.end(), [](unsigned char c) { return c <= ' ' || c == '?' || c == '#' || c == '@'; });
  if (host.empty() || !plain) return wrong("server \"" + a.server + "\" is not an https URL");
  if (flag(cluster, "insecure-skip-tls-verify")) {
    return wrong("insecure-skip-tls-verify is not supported: give certificate-authority-data");
  }
  HF_TRY(a.ca_pem, data_or_file(cluster, "certificate-authority", read_file));
  a.tls_server_name = scalar(cluster, "tls-server-name");
  a.proxy_url = scalar(cluster, "proxy-url");
  return {};
}

Result<ExecPlugin> read_exec(const YAML::Node& exec) {
  ExecPlugin plugin;
  plugin.api_version = scalar(exec, "apiVersion");
  plugin.command = scalar(exec, "command");
  if (plugin.command.empty()) return wrong("exec names no command");
  if (plugin.api_version != "client.authentication.k8s.io/v1" && plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return wrong("exec apiVersion \"" + plugin.api_version + "\" is not supported");
  }
  if (scalar(exec, "interactiveMode") == "Always") return wrong("exec plugin " + plugin.command + " needs a terminal");
  if (const YAML::Node list = exec["args"]; list && list.IsSequence()) {
    for (const YAML::Node& v : list) plugin.arguments.push_back(v.as<std::string>());
  }
  if (const YAML::Node list = exec["env"]; list && list.IsSequence()) {
    for (const YAML::Node& v : list) plugin.environment.emplace_back(scalar(v, "name"), scalar(v, "value"));
  }
  plugin.provide_cluster_info = flag(exec, "provideClusterInfo");
  return plugin;
}

Result<void> read_user(const YAML::Node& user, const FileReader& read_file, ClusterAccess& a) {
  if (user["auth-provider"]) return wrong("auth-provider is not supported; use an exec plugin");
  if (!scalar(user, "username").empty()) return wrong("a user name with a password is not supported");
  if (!scalar(user, "as").empty()) return wrong("impersonation (\"as\") is not supported");
  HF_TRY(a.certificate_pem, data_or_file(user, "client-certificate", read_file));
  HF_TRY(a.key_pem, data_or_file(user, "client-key", read_file));
  if (a.certificate_pem.empty() != a.key_pem.empty()) return wrong("a client certificate needs its key, and a key its certificate");
  a.token = scalar(user, "token");
  if (std::any_of(a.token.begin(), a.token.end(), [](unsigned char c) { return c <= ' '; })) return wrong("the token has blanks in it");
  // As in client-go: the file goes before the text.
  if (a.token_file = scalar(user, "tokenFile"); !a.token_file.empty()) {
    a.token.clear();
    HF_CHECK(read_file(a.token_file));
  }
  if (const YAML::Node exec = user["exec"]; exec && exec.IsMap()) {
    HF_TRY(a.exec, read_exec(exec));
  }
  const bool any = !a.certificate_pem.empty() || !a.token.empty() || !a.token_file.empty() || a.exec;
  if (!any) return wrong("the user has no certificate, token or exec plugin");
  return {};
}

Result<ClusterAccess> parse(const std::string& text, std::string context, const FileReader& read_file) {
  const YAML::Node root = YAML::Load(text);
  if (!root.IsMap()) return wrong("it is not a YAML map");
  if (context.empty()) context = scalar(root, "current-context");
  if (context.empty()) return wrong("it names no current-context; give one with --context");
  HF_TRY(const YAML::Node chosen, named(root, "contexts", "context", context));
  HF_TRY(const YAML::Node cluster, named(root, "clusters", "cluster", scalar(chosen, "cluster")));
  HF_TRY(const YAML::Node user, named(root, "users", "user", scalar(chosen, "user")));
  ClusterAccess access;
  HF_CHECK(read_cluster(cluster, read_file, access));
  HF_CHECK(read_user(user, read_file, access));
  // It is stored as JSON.
  if (!access_from_stored(stored_text(access))) return wrong("it has bytes that are not UTF-8 in it, or certificates that are not PEM");
  return access;
}

}  // namespace

Result<ClusterAccess> parse_kubeconfig(const std::string& text, const std::string& context, const FileReader& read_file) {
  try {
    return parse(text, context, read_file);
  } catch (const YAML::Exception& e) {
    return wrong("line " + std::to_string(e.mark.line + 1) + ": " + e.msg);
  }
}

}  // namespace holdfast::k8s
