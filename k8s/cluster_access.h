// How one cluster's API server is reached and how we prove who we are, as kubeconfig says it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace holdfast::k8s {

// A program that prints an ExecCredential (client.authentication.k8s.io/v1 or v1beta1).
struct ExecPlugin {
  std::string api_version;
  std::string command;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  bool provide_cluster_info = false;
};

// Files that kubeconfig names are taken in here, so that it can be stored whole; all but `token_file`, which is read
// again and again since its content changes.
struct ClusterAccess {
  std::string server;  // https://host:port
  std::string ca_pem;
  std::string tls_server_name;
  std::string proxy_url;
  std::string certificate_pem, key_pem;
  std::string token;
  std::string token_file;
  std::optional<ExecPlugin> exec;
};

// Gives the content of a file that kubeconfig names. Relative names are relative to the kubeconfig.
using FileReader = std::function<Result<std::string>(const std::string& name)>;
FileReader files_beside(const std::string& kubeconfig_path);

// `context` empty: current-context. kInvalidArgument names the entry and what is wrong with it; what this client does
// not do (insecure-skip-tls-verify, auth-provider, user names with passwords) is refused, not ignored.
Result<ClusterAccess> parse_kubeconfig(const std::string& text, const std::string& context, const FileReader& read_file);

// A JSON text for the store, with its secrets, and back.
std::string stored_text(const ClusterAccess& access);
Result<ClusterAccess> access_from_stored(std::string_view text);

}  // namespace holdfast::k8s
