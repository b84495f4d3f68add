// Runs a command in a container of a pod, as `kubectl exec` does: over a WebSocket with the subprotocols v5 and
// v4.channel.k8s.io (k8s.io/apimachinery/pkg/util/remotecommand; kubernetes/enhancements KEP-4006).
#pragma once

#include <stop_token>
#include <vector>

#include "k8s/client/api_client.h"

namespace holdfast::k8s {

struct PodCommand {
  std::string name_space, pod, container;
  std::vector<std::string> command;
  std::chrono::milliseconds timeout{30'000};  // connecting included; the command may go on behind it
};

// What a command wrote, the first 64 KiB of each, and how it ended.
struct CommandOutput {
  std::string out, err;
  bool cut = false;     // it wrote more
  std::string problem;  // "command terminated with exit code 2"; empty: it succeeded
};

// Puts the messages of the server together. Not thread-safe.
class ExecReply {
 public:
  // True: this was the end.
  bool feed(std::string_view message);
  CommandOutput& output() { return output_; }

 private:
  void take(std::string& to, std::string_view bytes);
  CommandOutput output_;
};

// An error: the command could not be started, or its end was not seen (kDeadlineExceeded: `timeout` is over). A command that ended
// badly is a success with a `problem`.
Result<CommandOutput> run_in_pod(ApiClient& client, const PodCommand& command);

}  // namespace holdfast::k8s
