#include "k8s/trial/trial_checks.h"

#include "k8s/client/json_access.h"
#include "k8s/client/pod_exec.h"
#include "k8s/trial/readiness.h"
#include "storage/net/http_types.h"

namespace holdfast::k8s {

namespace {

constexpr std::chrono::milliseconds kLongestTry{30'000}, kBetween{1'000};
constexpr size_t kMaxReasonBytes = 300;

struct Chosen {
  std::string pod, container;
};

Result<Chosen> pod_of(ApiClient& client, const TrialCheck& check, const std::string& name_space) {
  const std::string collection = "/api/v1/namespaces/" + name_space + "/pods";
  json::object pod;
  if (!check.pod.empty()) {
    HF_TRY(const std::string text, client.get(collection + "/" + check.pod));
    pod = object_or_empty(text);
  } else {
    HF_CHECK(client.list(collection, {check.selector, ""}, [&](std::string_view raw) -> Result<void> {
      json::object found = object_or_empty(raw);
      if (pod.empty() && !why_not_ready("pods", found)) pod = std::move(found);
      return {};
    }));
    if (pod.empty()) return error(Code::kNotFound, "no pod with " + check.selector + " is ready");
  }
  std::string container = check.container;
  const json::array& containers = array_at(object_at(pod, "spec"), "containers");
  if (container.empty() && !containers.empty() && containers.front().is_object()) container = text_at(containers.front().get_object(), "name");
  return Chosen{text_at(object_at(pod, "metadata"), "name"), container};
}

Result<void> run_command(ApiClient& client, const TrialCheck& check, const std::string& name_space, std::chrono::milliseconds left) {
  HF_TRY(const Chosen chosen, pod_of(client, check, name_space));
  HF_TRY(const CommandOutput output, run_in_pod(client, {name_space, chosen.pod, chosen.container, check.command, std::min(left, kLongestTry)}));
  if (output.problem.empty()) return {};
  return error(Code::kFailedPrecondition, output.problem + (output.err.empty() ? "" : ": " + output.err));
}

Result<void> ask_service(ApiClient& client, const TrialCheck& check, const std::string& name_space) {
  HF_CHECK(client.get("/api/v1/namespaces/" + name_space + "/services/" + check.service + ":" + check.port + "/proxy" + check.path));
  return {};
}

}  // namespace

std::string TrialCheck::text() const {
  if (!command.empty()) return "exec in " + name_space + "/" + (pod.empty() ? selector : pod);
  return "GET " + path + " of service " + name_space + "/" + service + ":" + port;
}

std::string run_check(const ClusterAccess& access, Clock& clock, const TrialCheck& check, const std::string& name_space, const std::stop_token& stop) {
  ApiClientOptions options;
  options.call_deadline = kLongestTry;
  options.retry_for = std::chrono::milliseconds(1);  // it is tried again here
  ApiClient client(access, clock, options);
  const std::stop_callback on_stop(stop, [&client] { client.stop(); });
  const auto end = std::chrono::steady_clock::now() + check.within;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const auto done = check.command.empty() ? ask_service(client, check, name_space) : run_command(client, check, name_space, left);
    if (done) return {};
    if (left <= kBetween || !client.pause(kBetween)) return check.text() + ": " + done.error().message().substr(0, kMaxReasonBytes);
  }
}

}  // namespace holdfast::k8s
