// Credential plugins: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "k8s/client/credentials.h"
#include "k8s/client/json_access.h"
#include "storage/base/bytes.h"
#include "storage/base/times.h"

extern char** environ;

namespace holdfast::k8s {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::seconds kDeadline{30};
constexpr size_t kMaxOutputBytes = 1 << 20;

std::string exec_info(const ExecPlugin& plugin, const ClusterAccess& cluster) {
  json::object spec{{"interactive", false}};
  if (plugin.provide_cluster_info) {
    spec["cluster"] = json::object{{"server", cluster.server}, {"certificate-authority-data", base64(as_bytes(cluster.ca_pem))},
                                   {"tls-server-name", cluster.tls_server_name}};
  }
  return json::serialize(json::object{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", std::move(spec)}});
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& t : texts) out.push_back(t.data());
  out.push_back(nullptr);
  return out;
}

// Everything that the program prints until it closes its output. nullopt: past the deadline, or too much.
std::optional<std::string> read_all(int fd, SteadyClock::time_point end) {
  std::string out;
  char piece[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - SteadyClock::now()).count();
    pollfd p{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n <= 0) return out;
    out.append(piece, static_cast<size_t>(n));
    if (out.size() > kMaxOutputBytes) return std::nullopt;
  }
}

// False: it had to be killed.
bool wait_for(pid_t pid, SteadyClock::time_point end, int& status) {
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (SteadyClock::now() >= end) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return false;
    }
    ::poll(nullptr, 0, 10);
  }
  return true;
}

}  // namespace

Result<PluginAnswer> run_exec_plugin(const ExecPlugin& plugin, const ClusterAccess& cluster) {
  std::vector<std::string> arguments{plugin.command};
  arguments.insert(arguments.end(), plugin.arguments.begin(), plugin.arguments.end());
  std::vector<std::string> environment;
  for (char** e = environ; *e != nullptr; ++e) environment.emplace_back(*e);
  for (const auto& [name, value] : plugin.environment) environment.push_back(name + "=" + value);
  environment.push_back("KUBERNETES_EXEC_INFO=" + exec_info(plugin, cluster));
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return error(Code::kIoError, "no pipe for the exec plugin");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, plugin.command.c_str(), &actions, &attributes, pointers(arguments).data(), pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  if (failed != 0) {
    ::close(pipe_ends[0]);
    return error(Code::kNotFound, Subject::kConfig, "the exec plugin " + plugin.command + " cannot be started: " + std::string(::strerror(failed)));
  }
  const auto end = SteadyClock::now() + kDeadline;
  const auto output = read_all(pipe_ends[0], end);
  ::close(pipe_ends[0]);
  int status = 0;
  const bool ended = wait_for(pid, output ? end : SteadyClock::now(), status);
  if (!output || !ended) return error(Code::kDeadlineExceeded, "the exec plugin " + plugin.command + " did not end within 30 s");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return error(Code::kPermissionDenied, "the exec plugin " + plugin.command + " failed with status " + std::to_string(status));
  }
  auto answer = parse_exec_credential(*output);
  if (!answer) return std::unexpected(answer.error().with_context("the exec plugin " + plugin.command));
  return answer;
}

Result<PluginAnswer> parse_exec_credential(std::string_view text) {
  const json::object root = object_or_empty(text);
  const json::object& status = object_at(root, "status");
  if (status.empty()) return error(Code::kPermissionDenied, "printed no ExecCredential with a status");
  PluginAnswer answer;
  answer.credential.bearer_token = text_at(status, "token");
  answer.credential.certificate_pem = text_at(status, "clientCertificateData");
  answer.credential.key_pem = text_at(status, "clientKeyData");
  std::erase_if(answer.credential.bearer_token, [](unsigned char c) { return c <= ' '; });
  if (answer.credential.bearer_token.empty() && answer.credential.certificate_pem.empty()) {
    return error(Code::kPermissionDenied, "gave neither a token nor a certificate");
  }
  if (const std::string expires = text_at(status, "expirationTimestamp"); !expires.empty()) {
    const auto at = parse_iso8601(expires);
    if (!at) return error(Code::kPermissionDenied, "gave an expirationTimestamp that is no time");
    answer.expires_ms = *at;
  }
  return answer;
}

}  // namespace holdfast::k8s
