#include "k8s/restore/preflight.h"

#include <set>

#include "k8s/client/access_review.h"
#include "k8s/restore/restore_order.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kClaims = "persistentvolumeclaims";
constexpr const char* kClasses = "storageclasses.storage.k8s.io";

class Check {
 public:
  explicit Check(const PreflightInput& input) : in_(input) {}

  Result<std::vector<std::string>> run() {
    check_volumes();
    check_kinds();
    HF_CHECK(check_storage_classes());
    HF_CHECK(check_permissions());
    return std::move(lacks_);
  }

 private:
  void check_volumes() {
    if (in_.spec->restore_volumes == false) return;
    for (const VolumeRecord* v : in_.source->volumes_with_data()) {
      lacks_.push_back(v->text() + ": its data (" + v->method + ") is in the restore point and cannot be brought back by this server yet; "
                       "with restorePVs: false (--restore-volumes=false) it comes back empty");
    }
  }

  void check_kinds() {
    const std::vector<std::string> coming = kinds_of_definitions(*in_.source);
    for (const auto& [name, kind] : in_.source->kinds()) {
      const uint64_t n = kind.chosen();
      if (n == 0 || in_.discovery->find_group_resource(name) != nullptr || contains(coming, name)) continue;
      const bool defined = in_.source->find({kDefinitions, "", name}) != nullptr;
      lacks_.push_back("it does not serve " + name + ", " + std::to_string(n) + " object" + (n == 1 ? "" : "s") +
                       (defined ? "; the definition is in the restore point: include cluster-scoped resources to bring it along" : ""));
    }
  }

  Result<void> check_storage_classes() {
    const auto kind = in_.source->kinds().find(kClaims);
    if (kind == in_.source->kinds().end() || kind->second.chosen() == 0) return {};
    std::set<std::string> classes;
    bool has_default = false;
    auto listed = in_.client->list("/apis/storage.k8s.io/v1/storageclasses", {}, [&](std::string_view raw) { return note_class(raw, classes, has_default); });
    if (!listed) return std::unexpected(listed.error());
    for (const SourceItem& claim : kind->second.items) {
      if (claim.chosen) check_claim(claim, classes, has_default);
    }
    return {};
  }

  static Result<void> note_class(std::string_view raw, std::set<std::string>& classes, bool& has_default) {
    const json::object metadata = object_at(object_or_empty(raw), "metadata");
    classes.insert(text_at(metadata, "name"));
    const json::object& annotations = object_at(metadata, "annotations");
    has_default = has_default || view_at(annotations, "storageclass.kubernetes.io/is-default-class") == "true" ||
                  view_at(annotations, "storageclass.beta.kubernetes.io/is-default-class") == "true";
    return {};
  }

  void check_claim(const SourceItem& item, const std::set<std::string>& classes, bool has_default) {
    const auto claim = in_.source->load(item);
    if (!claim) return;  // an error of that object, later
    const json::object& spec = object_at(*claim, "spec");
    const std::string volume = text_at(spec, "volumeName");
    if (!volume.empty() && !in_.volume_is_gone(volume)) return;
    const json::value* name = spec.if_contains("storageClassName");
    if (name == nullptr) {
      if (!has_default) lacks_.push_back("claim " + item.path + " names no storage class, and none is the default");
      return;
    }
    const std::string wanted = text_at(spec, "storageClassName");
    if (wanted.empty() || classes.contains(wanted)) return;
    const SourceItem* own = in_.source->find({kClasses, "", wanted});
    if (own == nullptr || !own->chosen) lacks_.push_back("claim " + item.path + " needs storage class " + wanted + ", which is not there");
  }

  Result<void> check_permissions() {
    std::vector<std::string> verbs{"create"};
    if (in_.spec->update_existing) verbs.push_back("patch");
    for (const std::string& verb : verbs) {
      HF_TRY(const bool all, access_allowed(*in_.client, {verb, "*", "*", "", ""}));
      if (all) continue;
      for (const auto& [name, kind] : in_.source->kinds()) HF_CHECK(check_permission(verb, name, kind));
    }
    return {};
  }

  // In the whole cluster, or at least where it matters.
  Result<void> check_permission(const std::string& verb, const std::string& name, const SourceKind& kind) {
    const ApiResource* r = in_.discovery->find_group_resource(name);
    if (r == nullptr || kind.chosen() == 0) return {};
    HF_TRY(const bool everywhere, access_allowed(*in_.client, {verb, r->group, r->name, "", ""}));
    if (everywhere) return {};
    std::set<std::string> places;
    for (const SourceItem& item : kind.items) {
      if (item.chosen) places.insert(item.namespaced ? in_.spec->target_namespace(item.name_space()) : std::string());
    }
    for (const std::string& place : places) {
      if (!place.empty()) {
        HF_TRY(const bool there, access_allowed(*in_.client, {verb, r->group, r->name, "", place}));
        if (there) continue;
      }
      lacks_.push_back("permission to " + verb + " " + name + (place.empty() ? "" : " in namespace " + place));
    }
    return {};
  }

  const PreflightInput& in_;
  std::vector<std::string> lacks_;
};

}  // namespace

Result<std::vector<std::string>> preflight(const PreflightInput& input) { return Check(input).run(); }

std::vector<std::string> kinds_of_definitions(const RestoreSource& source) {
  std::vector<std::string> out;
  const auto kind = source.kinds().find(kDefinitions);
  if (kind == source.kinds().end()) return out;
  for (const SourceItem& item : kind->second.items) {
    // The name of a definition is the group-resource that it defines.
    if (item.chosen) out.push_back(item.path);
  }
  return out;
}

}  // namespace holdfast::k8s
