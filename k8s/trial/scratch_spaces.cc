#include "k8s/trial/scratch_spaces.h"

#include <set>

#include "k8s/restore/target_setup.h"
#include "k8s/restore_trial.h"
#include "k8s/spec/labels.h"
#include "k8s/trial/harmless.h"

namespace holdfast::k8s {

namespace {

constexpr size_t kMaxNameBytes = 63;
constexpr std::chrono::milliseconds kLookEvery{250};

std::string prefix_of(const std::string& id) { return "hf-" + id + "-"; }

// Those that bear the mark and a name as the trial gives it: nothing else is ever removed.
Result<std::set<std::string>> scratch_namespaces(ApiClient& client, const std::string& id) {
  std::set<std::string> names;
  HF_CHECK(client.list("/api/v1/namespaces", {std::string(kTrialLabel) + "=" + id, ""}, [&](std::string_view raw) -> Result<void> {
    const std::string name = text_at(object_at(object_or_empty(raw), "metadata"), "name");
    if (name.starts_with(prefix_of(id))) names.insert(name);
    return {};
  }));
  return names;
}

// Volumes that were made for claims of the trial go with them, whatever their class says.
Result<void> let_volumes_go(ApiClient& client, const std::set<std::string>& names) {
  std::vector<std::string> kept;
  auto listed = client.list("/api/v1/persistentvolumes", {}, [&](std::string_view raw) -> Result<void> {
    const json::object volume = object_or_empty(raw);
    const json::object& spec = object_at(volume, "spec");
    const json::object& metadata = object_at(volume, "metadata");
    const bool made_for_it = names.contains(text_at(object_at(spec, "claimRef"), "namespace")) && object_at(metadata, "annotations").contains("pv.kubernetes.io/provisioned-by");
    if (made_for_it && view_at(spec, "persistentVolumeReclaimPolicy") == "Retain") kept.push_back(text_at(metadata, "name"));
    return {};
  });
  if (!listed && listed.error().code() != Code::kPermissionDenied) return std::unexpected(listed.error());
  for (const std::string& name : kept) {
    HF_CHECK(client.call("PATCH", "/api/v1/persistentvolumes/" + name, R"({"spec":{"persistentVolumeReclaimPolicy":"Delete"}})", kMergePatch));
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> scratch_names(const std::string& id, const std::vector<std::string>& namespaces) {
  std::map<std::string, std::string> out;
  std::set<std::string> taken;
  for (const std::string& name : namespaces) {
    std::string scratch = (prefix_of(id) + name).substr(0, kMaxNameBytes);
    for (size_t n = 2; scratch.ends_with('-') || taken.contains(scratch); ++n) {
      const std::string end = "x" + std::to_string(n);
      scratch = scratch.substr(0, kMaxNameBytes - end.size()) + end;
    }
    taken.insert(scratch);
    out[name] = scratch;
  }
  return out;
}

Result<void> make_scratch(ApiClient& client, const RestoreSource& source, const std::string& id, const std::string& name, const std::string& scratch, bool isolated) {
  json::object object = namespace_object(source, name, scratch);
  json::object& metadata = object["metadata"].get_object();
  if (object_in(metadata, "labels") == nullptr) metadata["labels"] = json::object();
  metadata["labels"].get_object()[kTrialLabel] = id;
  metadata["labels"].get_object()[kExcludeLabel] = "true";  // no backup takes it for something to keep
  HF_CHECK(client.create("/api/v1/namespaces", "", json::serialize(object)));
  if (!isolated) return {};
  return client.create("/apis/networking.k8s.io/v1/namespaces/" + scratch + "/networkpolicies", "", json::serialize(isolation(id)));
}

Result<void> remove_trial(const ClusterAccess& access, const std::string& id, Clock& clock, std::chrono::milliseconds patience) {
  ApiClientOptions options;
  options.retry_for = std::chrono::seconds(10);
  ApiClient client(access, clock, options);
  const auto end = std::chrono::steady_clock::now() + patience;
  HF_TRY(std::set<std::string> names, scratch_namespaces(client, id));
  if (names.empty()) return {};
  HF_CHECK(let_volumes_go(client, names));
  for (const std::string& name : names) {
    const auto gone = client.call("DELETE", "/api/v1/namespaces/" + name);
    // 409: it is going already.
    if (!gone && gone.error().code() != Code::kNotFound && gone.error().code() != Code::kFailedPrecondition) return std::unexpected(gone.error());
  }
  while (!names.empty()) {
    if (std::chrono::steady_clock::now() >= end || !client.pause(kLookEvery)) return error(Code::kDeadlineExceeded, "namespace " + *names.begin() + " is still terminating");
    HF_TRY(names, scratch_namespaces(client, id));
  }
  return {};
}

}  // namespace holdfast::k8s
