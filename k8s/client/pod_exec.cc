#include "k8s/client/pod_exec.h"

#include "k8s/client/json_access.h"
#include "storage/net/http_types.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kMaxOutputBytes = 64 << 10;
constexpr const char* kProtocols = "v5.channel.k8s.io, v4.channel.k8s.io";
constexpr std::chrono::milliseconds kFirstWait{250};
// The first byte of a message says what it is about.
constexpr unsigned char kOut = 1, kErr = 2, kStatus = 3;

// Why a command did not succeed, from the Status at its end.
std::string problem_of(std::string_view text) {
  const json::object status = object_or_empty(text);
  if (view_at(status, "status") == "Success") return {};
  for (const json::value& cause : array_at(object_at(status, "details"), "causes")) {
    const json::object* c = cause.if_object();
    if (c != nullptr && view_at(*c, "reason") == "ExitCode") return "command terminated with exit code " + text_at(*c, "message");
  }
  const std::string message = text_at(status, "message");
  return message.empty() ? "it ended in a way that the server does not explain" : message;
}

std::string target_of(const PodCommand& c) {
  std::string target = "/api/v1/namespaces/" + percent_encode(c.name_space, false) + "/pods/" + percent_encode(c.pod, false) +
                       "/exec?container=" + percent_encode(c.container, false) + "&stdout=true&stderr=true";
  for (const std::string& word : c.command) target += "&command=" + percent_encode(word, false);
  return target;
}

// Until it is open nothing has run, so that it may be tried again.
Result<std::unique_ptr<WebSocket>> open(ApiClient& client, const PodCommand& command) {
  const auto end = std::chrono::steady_clock::now() + command.timeout;
  for (auto wait = kFirstWait;; wait *= 2) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    auto socket = client.open_socket(target_of(command), kProtocols, left);
    const bool again = !socket && socket.error().code() == Code::kUnavailable && left > wait * 2;
    if (!again || !client.pause(wait)) return socket;
  }
}

}  // namespace

void ExecReply::take(std::string& to, std::string_view bytes) {
  const std::string_view kept = bytes.substr(0, kMaxOutputBytes - to.size());
  output_.cut = output_.cut || kept.size() < bytes.size();
  to += kept;
}

bool ExecReply::feed(std::string_view message) {
  if (message.empty()) return false;
  const auto channel = static_cast<unsigned char>(message.front());
  message.remove_prefix(1);
  if (channel == kOut) take(output_.out, message);
  if (channel == kErr) take(output_.err, message);
  if (channel == kStatus) output_.problem = problem_of(message);
  return channel == kStatus;
}

Result<CommandOutput> run_in_pod(ApiClient& client, const PodCommand& command) {
  HF_TRY(const auto socket, open(client, command));
  if (std::string_view(kProtocols).find(socket->protocol()) == std::string_view::npos || socket->protocol().empty()) {
    return error(Code::kUnavailable, "exec: the server answers in a protocol that is not known: \"" + socket->protocol() + "\"");
  }
  ExecReply reply;
  for (;;) {
    const auto message = socket->read();
    if (!message && message.error().code() == Code::kDeadlineExceeded) {
      return error(Code::kDeadlineExceeded, "timed out after " + std::to_string(command.timeout.count() / 1000.0).substr(0, 5) + "s; the command may go on");
    }
    if (!message) return std::unexpected(message.error());
    if (!*message) return error(Code::kUnavailable, "exec: the connection ended before the command did");
    if (reply.feed(**message)) return std::move(reply.output());
  }
}

}  // namespace holdfast::k8s
