#include "k8s/hooks/restored_pods.h"

namespace holdfast::k8s {

namespace {

// More than these are cheaper to find in one list.
constexpr size_t kFewPods = 16;

Result<RestoredPods> get_each(ApiClient& client, const std::set<std::string>& names) {
  RestoredPods out;
  for (const std::string& name : names) {
    const size_t slash = name.find('/');
    const auto text = client.get("/api/v1/namespaces/" + name.substr(0, slash) + "/pods/" + name.substr(slash + 1));
    if (!text && text.error().code() == Code::kNotFound) continue;
    if (!text) return std::unexpected(text.error());
    HF_TRY(json::object pod, parse_object(*text));
    out[name] = std::make_shared<const json::object>(std::move(pod));
  }
  return out;
}

}  // namespace

Result<RestoredPods> look_up_pods(ApiClient& client, const std::string& label_selector, const std::set<std::string>& names) {
  if (names.size() <= kFewPods) return get_each(client, names);
  RestoredPods out;
  HF_CHECK(client.list("/api/v1/pods", {label_selector, ""}, [&](std::string_view item) -> Result<void> {
    HF_TRY(json::object pod, parse_object(item));
    const json::object& metadata = object_at(pod, "metadata");
    const std::string name = text_at(metadata, "namespace") + "/" + text_at(metadata, "name");
    if (names.contains(name)) out[name] = std::make_shared<const json::object>(std::move(pod));
    return {};
  }));
  return out;
}

}  // namespace holdfast::k8s
