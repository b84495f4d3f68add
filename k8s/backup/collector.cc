#include "k8s/backup/collector.h"

#include <algorithm>
#include <thread>

#include "k8s/backup/lister.h"
#include "k8s/spec/labels.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";

// Items of a list do not say what they are; stored objects must.
std::string with_kind(const ApiResource& r, std::string_view raw, const json::object& object) {
  std::string added;
  if (!object.contains("apiVersion")) added += "\"apiVersion\":" + json::serialize(json::value(r.api_version())) + ",";
  if (!object.contains("kind")) added += "\"kind\":" + json::serialize(json::value(r.kind)) + ",";
  return "{" + added + std::string(raw.substr(raw.find('{') + 1));
}

// Other names could lead out of their folder in the archive.
bool may_stand_in_path(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

std::string named(const ApiResource& r, std::string_view name) { return "resource: /" + r.group_resource() + " name: /" + std::string(name) + " message: /"; }

}  // namespace

Result<void> Collector::run() {
  HF_CHECK(read_namespaces());
  HF_CHECK(take_batches());
  HF_CHECK(take_hooked_pods());
  HF_CHECK(take_namespaces());
  HF_CHECK(take_definitions());
  volumes_.finish([this](const std::string& name) -> Result<json::object> {
    HF_TRY(const std::string text, client_.get("/api/v1/persistentvolumes/" + name));
    return parse_object(text);
  });
  return {};
}

// Which namespaces there are, which are to be left out, and which come along even if nothing in them does.
Result<void> Collector::read_namespaces() {
  std::vector<std::string> exempt;
  const auto on_item = [&](std::string_view item) -> Result<void> {
    HF_TRY(const json::object o, parse_object(item));
    const json::object& metadata = object_at(o, "metadata");
    const json::object& labels = object_at(metadata, "labels");
    const std::string name = text_at(metadata, "name");
    if (view_at(labels, kExcludeLabel) == "true") exempt.push_back(name);
    Namespace& n = namespaces_[name];
    n.raw = item;
    n.active = view_at(object_at(o, "status"), "phase") == "Active";
    n.tracked = n.active && spec_.labels.given() && spec_.labels.matches(labels);
    return {};
  };
  HF_CHECK(client_.list("/api/v1/namespaces", {}, on_item));
  for (const std::string& name : exempt) {
    log_.warning("", "resource: /namespaces name: /" + name + " message: /left out: it is labelled " + kExcludeLabel +
                         "=true. A namespace that is left out also keeps cluster-scoped resources out, unless includeClusterResources says otherwise");
  }
  std::vector<std::string> names;
  for (const auto& [name, n] : namespaces_) names.push_back(name);
  filter_.emplace(spec_, discovery_, std::move(names), exempt);
  for (const std::string& name : filter_->wanted_namespaces()) {
    const bool pattern = name.find_first_of("*?[") != std::string::npos;
    if (!pattern && !namespaces_.contains(name)) log_.error("", "resource: /namespaces name: /" + name + " message: /it is in includedNamespaces and does not exist");
  }
  // A choice by labels among all namespaces takes a namespace only with something in it.
  if (filter_->every_namespace() && spec_.labels.given()) return {};
  for (auto& [name, n] : namespaces_) {
    n.tracked = n.tracked || (n.active && filter_->includes_namespace(name));
  }
  return {};
}

Result<void> Collector::take_batches() {
  std::vector<std::string> wanted;
  for (const auto& [name, n] : namespaces_) {
    if (filter_->includes_namespace(name)) wanted.push_back(name);
  }
  ItemQueue queue;
  Lister lister(client_, discovery_, spec_, *filter_, std::move(wanted), log_, queue);
  Result<void> result;
  std::jthread listing([&] { lister.run(); });
  while (auto batch = queue.pop()) {
    for (const std::string& raw : batch->items) {
      result = take(*batch->resource, raw, batch->ordered ? From::kOrderedList : From::kList);
      if (!result) break;
    }
    if (!result) break;
  }
  queue.abandon();
  listing.join();
  if (result && lister.failure()) return std::unexpected(*lister.failure());
  return result;
}

Result<void> Collector::take_hooked_pods() {
  const ApiResource* pods = discovery_.find("pods");
  if (pods == nullptr) return {};
  for (const std::vector<ItemRef>& block : blocks_.blocks()) {
    if (client_.stopped()) return error(Code::kUnavailable, "the server was stopped while it ran");
    HF_CHECK(take_block(*pods, block));
  }
  return {};
}

struct Collector::HookedPod {
  std::string raw;
  json::object object;
  bool good = true;  // none of its pre hooks forbids to take it
};

// As it is now: the lists may have taken long.
std::optional<Collector::HookedPod> Collector::fetch_hooked(const ApiResource& pods, const ItemRef& ref) {
  auto raw = client_.get(pods.path(ref.name_space, ref.name));
  auto object = raw ? parse_object(*raw) : Result<json::object>(std::unexpected(raw.error()));
  if (object && wanted(pods, object_at(*object, "metadata"), false)) return HookedPod{std::move(*raw), std::move(*object)};
  if (!object && object.error().code() != Code::kNotFound) log_.error(ref.name_space, named(pods, ref.name) + object.error().message());
  else log_.warning(ref.name_space, named(pods, ref.name) + "it has gone since the pods were listed");
  return std::nullopt;
}

// Post hooks undo what pre hooks did: they run whatever else has failed.
Result<void> Collector::take_block(const ApiResource& pods, const std::vector<ItemRef>& block) {
  std::vector<HookedPod> there;
  for (const ItemRef& ref : block) {
    if (auto pod = fetch_hooked(pods, ref)) there.push_back(std::move(*pod));
  }
  for (HookedPod& pod : there) pod.good = hooks_.run(HookPhase::kPre, pod.object);
  Result<void> taken;
  for (const HookedPod& pod : there) {
    if (taken) taken = pod.good ? take(pods, pod.raw, From::kHooks) : take_related("pods", pod.object);
  }
  for (const HookedPod& pod : there) (void)hooks_.run(HookPhase::kPost, pod.object);
  return taken;
}

Result<void> Collector::take_namespaces() {
  const ApiResource* resource = discovery_.find("namespaces");
  if (resource == nullptr || !filter_->collects(*resource)) return {};
  for (auto& [name, n] : namespaces_) {
    if (!n.tracked) continue;
    if (n.raw.empty()) {  // made since the run began
      HF_CHECK(fetch({"namespaces", "", name}));
    } else {
      HF_CHECK(take(*resource, n.raw, From::kList));
    }
  }
  return {};
}

// The definitions of the custom resources that something was taken of, unless they were all taken or left out on purpose.
// A selector leaves them out by accident: without them nothing of it can be restored into a blank cluster.
Result<void> Collector::take_definitions() {
  const ApiResource* definitions = discovery_.find(kDefinitions);
  if (definitions == nullptr || (filter_->collects(*definitions) && !spec_.labels.given()) || !filter_->admits(*definitions, "")) return {};
  std::vector<std::string> names;
  for (const auto& [group_resource, resource] : items_.group_resources()) {
    if (resource->group.find('.') != std::string::npos) names.push_back(group_resource);
  }
  for (const std::string& name : names) {
    const auto definition = client_.get(definitions->path("", name));
    if (definition) {
      HF_CHECK(take(*definitions, *definition, From::kRelation));
    } else if (definition.error().code() != Code::kNotFound) {
      log_.error("", named(*definitions, name) + definition.error().message());
    }
  }
  return {};
}

bool Collector::wanted(const ApiResource& r, const json::object& metadata, bool related) const {
  const std::string name_space = text_at(metadata, "namespace");
  if (view_at(object_at(metadata, "labels"), kExcludeLabel) == "true") return false;
  if (!name_space.empty() && !filter_->includes_namespace(name_space)) return false;
  if (related && !filter_->admits(r, name_space)) return false;
  return !metadata.contains("deletionTimestamp");
}

Result<void> Collector::take(const ApiResource& r, std::string_view raw, From from) {
  unsigned char room[16 << 10];
  json::monotonic_resource memory(room);
  const auto object = parse_object(raw, &memory);
  if (!object) {
    log_.error("", named(r, "?") + object.error().message());
    return {};
  }
  const json::object& metadata = object_at(*object, "metadata");
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  if (!may_stand_in_path(name) || (!name_space.empty() && !may_stand_in_path(name_space))) {
    log_.error(name_space, named(r, name) + "the object has no usable name");
    return {};
  }
  const std::string group_resource = r.group_resource();
  if (!wanted(r, metadata, from == From::kRelation)) return {};
  if (!name_space.empty()) namespaces_[name_space].tracked = true;
  if (group_resource == "pods" && from != From::kHooks) {
    if (hooks_.any_for(*object)) {
      blocks_.add(*object, from == From::kOrderedList);
      return {};
    }
    blocks_.note(*object);
  }
  if (!items_.add(r, name_space, name)) return {};
  const auto changed = changed_for_backup(group_resource, *object, backup_name_);
  const std::string text = changed ? with_kind(r, json::serialize(*changed), *changed) : with_kind(r, raw, *object);
  HF_CHECK(archive_.add_object(group_resource, r.version, name_space, name, text));
  taken_ = items_.size();
  note_volumes(group_resource, *object);
  return take_related(group_resource, *object);
}

void Collector::note_volumes(const std::string& group_resource, const json::object& object) {
  if (group_resource == "pods") volumes_.note_pod(object);
  if (group_resource == "persistentvolumeclaims") volumes_.note_claim(object);
  if (group_resource == "persistentvolumes") volumes_.note_volume(object);
}

Result<void> Collector::take_related(const std::string& group_resource, const json::object& object) {
  if (group_resource == "serviceaccounts" && !bindings_.loaded()) {
    if (auto loaded = bindings_.load(client_, discovery_); !loaded) {
      log_.error("", "resource: /clusterrolebindings message: /" + loaded.error().message());
    }
  }
  for (const ItemRef& item : related_items(group_resource, object, bindings_)) {
    if (!items_.has(item)) HF_CHECK(fetch(item));
  }
  return {};
}

Result<void> Collector::fetch(const ItemRef& item) {
  const ApiResource* resource = discovery_.find(item.group_resource);
  if (resource == nullptr || !filter_->admits(*resource, item.name_space)) return {};
  const auto raw = client_.get(resource->path(item.name_space, item.name));
  if (raw) return take(*resource, *raw, From::kRelation);
  const std::string message = named(*resource, item.name) + "another object refers to it: " + raw.error().message();
  if (raw.error().code() == Code::kNotFound) log_.warning(item.name_space, message);
  else log_.error(item.name_space, message);
  return {};
}

}  // namespace holdfast::k8s
