#include "k8s/cluster_access.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

FileReader files_beside(const std::string& kubeconfig_path) {
  const auto directory = std::filesystem::path(kubeconfig_path).parent_path();
  return [directory](const std::string& name) -> Result<std::string> {
    const auto path = directory / name;  // an absolute name stays as it is
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) return error(Code::kNotFound, Subject::kConfig, "cannot read " + path.string());
    return text.str();
  };
}

namespace {

json::array pairs_json(const std::vector<std::pair<std::string, std::string>>& pairs) {
  json::array out;
  for (const auto& [name, value] : pairs) out.push_back(json::array{name, value});
  return out;
}

}  // namespace

std::string stored_text(const ClusterAccess& a) {
  json::object o{{"server", a.server}, {"ca_pem", a.ca_pem}, {"tls_server_name", a.tls_server_name}, {"proxy_url", a.proxy_url},
                 {"certificate_pem", a.certificate_pem}, {"key_pem", a.key_pem}, {"token", a.token}, {"token_file", a.token_file}};
  if (a.exec) {
    json::array arguments(a.exec->arguments.begin(), a.exec->arguments.end());
    o["exec"] = json::object{{"api_version", a.exec->api_version}, {"command", a.exec->command}, {"arguments", std::move(arguments)},
                             {"environment", pairs_json(a.exec->environment)}, {"provide_cluster_info", a.exec->provide_cluster_info}};
  }
  return json::serialize(o);
}

Result<ClusterAccess> access_from_stored(std::string_view text) {
  const auto parsed = parse_object(text);
  if (!parsed) return error(Code::kCorrupt, Subject::kConfig, "the stored access to a cluster cannot be read");
  const json::object& o = *parsed;
  ClusterAccess a;
  for (auto [member, key] : {std::pair{&a.server, "server"}, {&a.ca_pem, "ca_pem"}, {&a.tls_server_name, "tls_server_name"},
                             {&a.proxy_url, "proxy_url"}, {&a.certificate_pem, "certificate_pem"}, {&a.key_pem, "key_pem"},
                             {&a.token, "token"}, {&a.token_file, "token_file"}}) {
    *member = text_at(o, key);
  }
  const json::object& e = object_at(o, "exec");
  if (e.empty()) return a;
  ExecPlugin plugin;
  plugin.api_version = text_at(e, "api_version");
  plugin.command = text_at(e, "command");
  plugin.arguments = texts_at(e, "arguments");
  for (const json::value& v : array_at(e, "environment")) {
    const auto* pair = v.if_array();
    if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_string()) {
      plugin.environment.emplace_back((*pair)[0].get_string(), (*pair)[1].get_string());
    }
  }
  plugin.provide_cluster_info = is_true(e, "provide_cluster_info");
  a.exec = std::move(plugin);
  return a;
}

}  // namespace holdfast::k8s
