#include "k8s/restore/target_setup.h"

#include <algorithm>

#include "k8s/restore/item_transforms.h"
#include "k8s/restore/restore_order.h"

namespace holdfast::k8s {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kDiscoveryTimeout{30'000};
constexpr milliseconds kFirstWait{50}, kLongestWait{1'000};

// Waits longer each time; false when the time is over or the client was stopped.
class Patience {
 public:
  Patience(ApiClient& client, milliseconds timeout) : client_(client), end_(Clock::now() + timeout) {}
  bool wait() {
    if (Clock::now() + wait_ > end_) return false;
    const bool more = client_.pause(wait_);
    wait_ = std::min(wait_ * 2, kLongestWait);
    return more;
  }

 private:
  ApiClient& client_;
  const Clock::time_point end_;
  milliseconds wait_ = kFirstWait;
};

// "True", "False", or empty; with the message.
std::pair<std::string, std::string> condition_of(const json::object& object, std::string_view type) {
  for (const json::value& v : array_at(object_at(object, "status"), "conditions")) {
    if (v.is_object() && view_at(v.get_object(), "type") == type) return {text_at(v.get_object(), "status"), text_at(v.get_object(), "message")};
  }
  return {};
}

}  // namespace

json::object namespace_object(const RestoreSource& source, const std::string& name, const std::string& target) {
  json::object made{{"apiVersion", "v1"}, {"kind", "Namespace"}};
  json::object metadata{{"name", target}};
  const SourceItem* item = source.find({kNamespaces, "", name});
  const auto object = item != nullptr ? source.load(*item) : Result<json::object>(json::object());
  if (object) {
    for (const char* field : {"labels", "annotations"}) {
      const json::object& texts = object_at(object_at(*object, "metadata"), field);
      if (!texts.empty()) metadata[field] = texts;
    }
    // The server writes it, with the name.
    if (json::object* labels = object_in(metadata, "labels")) labels->erase("kubernetes.io/metadata.name");
    if (!object_at(*object, "spec").empty()) made["spec"] = object_at(*object, "spec");
  }
  made["metadata"] = std::move(metadata);
  return made;
}

NamespaceState ensure_namespace(ApiClient& client, const RestoreSource& source, const RestoreSpec& spec, const std::string& name, milliseconds timeout) {
  const std::string& target = spec.target_namespace(name);
  Patience patience(client, timeout);
  for (;;) {
    const auto made = client.create("/api/v1/namespaces", "", json::serialize(namespace_object(source, name, target)));
    if (made) return {true, {}};
    // Who may not make one may still use one that is there.
    const bool may_exist = made.error().code() == Code::kAlreadyExists || made.error().code() == Code::kPermissionDenied;
    const auto live = may_exist ? client.get("/api/v1/namespaces/" + target) : Result<std::string>(std::unexpected(made.error()));
    if (!live && made.error().code() == Code::kAlreadyExists && live.error().code() == Code::kNotFound) continue;  // it has just gone
    if (!live) return {false, "namespace " + target + " cannot be made: " + made.error().message()};
    if (view_at(object_at(object_or_empty(*live), "status"), "phase") != "Terminating") return {};
    if (!patience.wait()) return {false, "namespace " + target + " is still terminating after " + std::to_string(timeout.count() / 1000) + " seconds"};
  }
}

Result<void> await_definition(ApiClient& client, const std::string& name, milliseconds timeout) {
  Patience patience(client, timeout);
  for (;;) {
    HF_TRY(const std::string text, client.get(std::string("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/") + name));
    const json::object definition = object_or_empty(text);
    if (condition_of(definition, "Established").first == "True") return {};
    const auto [accepted, why] = condition_of(definition, "NamesAccepted");
    if (accepted == "False") return error(Code::kFailedPrecondition, "the API server does not accept its names: " + why);
    if (!patience.wait()) return error(Code::kFailedPrecondition, "it is not established after " + std::to_string(timeout.count() / 1000) + " seconds");
  }
}

Result<Discovery> discover_with(ApiClient& client, const std::vector<std::string>& group_resources) {
  Patience patience(client, kDiscoveryTimeout);
  for (;;) {
    HF_TRY(Discovery discovery, Discovery::read(client));
    const bool all = std::all_of(group_resources.begin(), group_resources.end(), [&](const std::string& name) {
      return discovery.find_group_resource(name) != nullptr;
    });
    if (all || !patience.wait()) return discovery;
  }
}

}  // namespace holdfast::k8s
