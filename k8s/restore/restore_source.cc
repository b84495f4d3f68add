#include "k8s/restore/restore_source.h"

#include <algorithm>
#include <set>

#include "k8s/restore/item_path.h"

namespace holdfast::k8s {

namespace {
constexpr const char* kPods = "pods";
constexpr const char* kClaims = "persistentvolumeclaims";
constexpr const char* kVolumes = "persistentvolumes";
}

uint64_t SourceKind::chosen() const {
  return static_cast<uint64_t>(std::count_if(items.begin(), items.end(), [](const SourceItem& i) { return i.chosen; }));
}

RestoreSource::RestoreSource(const RestoreSpec& spec, const Discovery& target, const std::vector<VolumeRecord>& volumes,
                             std::unique_ptr<ItemSpool> spool)
    : spec_(spec), resources_(resolved(spec.resources, target)), volumes_(volumes), spool_(std::move(spool)) {
  for (const VolumeRecord& v : volumes_) {
    if (!v.method.empty() && !v.volume.empty()) anew_.insert(v.volume);
  }
}

Result<void> RestoreSource::read(GunzipStream::Source archive, const ArchiveLimits& limits) {
  HF_CHECK(read_archive(std::move(archive), limits, [this](const std::string& path, std::string_view content) { return take(path, content); }));
  HF_CHECK(spool_->flush());
  choose_related();
  return {};
}

Result<void> RestoreSource::take(const std::string& path, std::string_view content) {
  HF_TRY(const auto item, parse_item_path(path));
  if (!item || is_never_restored(item->group_resource)) return {};
  SourceKind& kind = kinds_[item->group_resource];
  const auto [at, fresh] = kind.by_path.emplace(item->path(), kind.items.size());
  if (!fresh) return error(Code::kCorrupt, "\"" + path + "\" is in it twice");
  HF_TRY(const SpoolPlace place, spool_->add(content));
  const bool telling = item->group_resource == kPods || item->group_resource == kClaims || item->group_resource == kVolumes;
  const json::object object = telling || spec_.labels.given() ? object_or_empty(content) : json::object();
  if (telling) note_relations(*item, object);
  const bool chosen = chooses(*item, object);
  chosen_ += chosen ? 1 : 0;
  kind.items.push_back({item->path(), place, !item->name_space.empty(), chosen});
  return {};
}

bool RestoreSource::chooses(const ItemRef& item, const json::object& object) const {
  if (!admits(item)) return false;
  if (item.name_space.empty() && spec_.include_cluster_resources != true && !spec_.namespaces.everything()) return false;
  return spec_.labels.matches(object_at(object_at(object, "metadata"), "labels"));
}

bool RestoreSource::admits(const ItemRef& item) const {
  if (!resources_.includes(item.group_resource)) return false;
  return item.name_space.empty() ? spec_.include_cluster_resources != false : spec_.namespaces.includes(item.name_space);
}

void RestoreSource::note_relations(const ItemRef& item, const json::object& object) {
  const json::object& spec = object_at(object, "spec");
  if (item.group_resource == kVolumes) {
    if (view_at(spec, "persistentVolumeReclaimPolicy") == "Delete") anew_.insert(item.name);
  } else if (item.group_resource == kClaims) {
    const bool bound = view_at(object_at(object, "status"), "phase") == "Bound";
    if (const std::string volume = text_at(spec, "volumeName"); bound && !volume.empty()) volume_of_claim_[item.path()] = volume;
  } else {
    std::vector<ItemRef>& needs = needs_of_pod_[item.path()];
    if (const std::string name = text_at(spec, "priorityClassName"); !name.empty()) needs.push_back({"priorityclasses.scheduling.k8s.io", "", name});
    for (const json::value& v : array_at(spec, "volumes")) {
      const std::string claim = v.is_object() ? text_at(object_at(v.get_object(), "persistentVolumeClaim"), "claimName") : std::string();
      if (!claim.empty()) needs.push_back({kClaims, item.name_space, claim});
    }
  }
}

void RestoreSource::choose(const ItemRef& ref) {
  const auto kind = kinds_.find(ref.group_resource);
  if (kind == kinds_.end() || !admits(ref)) return;
  const auto at = kind->second.by_path.find(ref.path());
  if (at == kind->second.by_path.end()) return;
  SourceItem& item = kind->second.items[at->second];
  if (item.chosen) return;
  item.chosen = true;
  ++chosen_;
}

void RestoreSource::choose_related() {
  for (const SourceItem& pod : kinds_[kPods].items) {
    if (!pod.chosen) continue;
    for (const ItemRef& need : needs_of_pod_[pod.path]) choose(need);
  }
  for (const SourceItem& claim : kinds_[kClaims].items) {
    const auto volume = volume_of_claim_.find(claim.path);
    if (claim.chosen && volume != volume_of_claim_.end()) choose({kVolumes, "", volume->second});
  }
  needs_of_pod_.clear();
  volume_of_claim_.clear();
  std::erase_if(kinds_, [](const auto& k) { return k.second.items.empty(); });
}

const SourceItem* RestoreSource::find(const ItemRef& ref) const {
  const auto kind = kinds_.find(ref.group_resource);
  if (kind == kinds_.end()) return nullptr;
  const auto at = kind->second.by_path.find(ref.path());
  return at == kind->second.by_path.end() ? nullptr : &kind->second.items[at->second];
}

Result<json::object> RestoreSource::load(const SourceItem& item) const {
  HF_TRY(const std::string content, spool_->read(item.place));
  auto object = parse_object(content);
  if (!object) return error(Code::kCorrupt, "in the backup it is not an object: " + object.error().message());
  const json::object& metadata = object_at(*object, "metadata");
  if (view_at(metadata, "name") != item.name() || view_at(metadata, "namespace") != item.name_space()) {
    return error(Code::kCorrupt, "in the backup there is another object under its name");
  }
  if (view_at(*object, "apiVersion").empty() || view_at(*object, "kind").empty()) return error(Code::kCorrupt, "in the backup it has no apiVersion or kind");
  return object;
}

std::vector<std::string> RestoreSource::namespaces() const {
  std::set<std::string> out;
  for (const auto& [name, kind] : kinds_) {
    for (const SourceItem& item : kind.items) {
      if (item.chosen && item.namespaced) out.insert(item.name_space());
      if (item.chosen && name == "namespaces") out.insert(item.name());
    }
  }
  return {out.begin(), out.end()};
}

std::vector<const VolumeRecord*> RestoreSource::volumes_with_data() const {
  std::vector<const VolumeRecord*> out;
  for (const VolumeRecord& v : volumes_) {
    if (v.method.empty()) continue;
    const SourceItem* owner = !v.claim.empty() ? find({kClaims, v.claim_namespace, v.claim})
                              : !v.pod.empty() ? find({kPods, v.pod_namespace, v.pod})
                                               : find({kVolumes, "", v.volume});
    if (owner != nullptr && owner->chosen) out.push_back(&v);
  }
  return out;
}

}  // namespace holdfast::k8s
