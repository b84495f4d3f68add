#include "k8s/backup/volume_report.h"

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kSkipped = "matched action is 'skip' in chosen resource policies";
constexpr const char* kNotSaved = "the data of the volume is not saved: this server does not save volume data yet";

// Volumes that an annotation of their pod names.
bool named_in(const json::object& annotations, std::string_view key, const std::string& volume) {
  const auto names = split_text(view_at(annotations, key), ',');
  return !volume.empty() && std::find(names.begin(), names.end(), volume) != names.end();
}

// Volumes that Velero's file-system backup takes when it is the default.
bool holds_data(const json::object& volume) {
  for (const char* source : {"hostPath", "secret", "configMap", "projected", "downwardAPI"}) {
    if (volume.contains(source)) return false;
  }
  return true;
}

}  // namespace

void VolumeReport::note_pod(const json::object& pod) {
  const json::object& metadata = object_at(pod, "metadata");
  const json::object& annotations = object_at(metadata, "annotations");
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  for (const json::value& v : array_at(object_at(pod, "spec"), "volumes")) {
    const json::object* volume = v.if_object();
    if (volume == nullptr) continue;
    const std::string volume_name = text_at(*volume, "name");
    const bool asked = named_in(annotations, "backup.velero.io/backup-volumes", volume_name);
    const bool by_default = spec_.fs_backup && holds_data(*volume) && !named_in(annotations, "backup.velero.io/backup-volumes-excludes", volume_name);
    if (!asked && !by_default) continue;
    const std::string claim = text_at(object_at(*volume, "persistentVolumeClaim"), "claimName");
    pod_volumes_.push_back({name_space, name, volume_name, claim.empty() ? "" : name_space + "/" + claim, PolicyVolume::of_pod_volume(*volume)});
  }
}

void VolumeReport::note_claim(const json::object& claim) {
  const json::object& metadata = object_at(claim, "metadata");
  const std::string volume = text_at(object_at(claim, "spec"), "volumeName");
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  if (spec_.policies) {
    Claim& c = claims_[name_space + "/" + name];
    c.volume = volume;
    c.seen.take_claim(claim);
  }
  if (volume.empty()) return;
  Volume& v = volumes_[volume];
  v.claim = name;
  v.claim_namespace = name_space;
  v.claim_noted = true;
  if (spec_.policies) v.seen.take_claim(claim);
}

void VolumeReport::note_volume(const json::object& persistent_volume) {
  const json::object& metadata = object_at(persistent_volume, "metadata");
  const json::object& spec = object_at(persistent_volume, "spec");
  Volume& v = volumes_[text_at(metadata, "name")];
  v.reclaim_policy = text_at(spec, "persistentVolumeReclaimPolicy");
  v.labels = object_at(metadata, "labels");
  v.volume_noted = true;
  if (spec_.policies) v.seen.take_volume(persistent_volume);
  if (!v.claim.empty()) return;
  v.claim = text_at(object_at(spec, "claimRef"), "name");
  v.claim_namespace = text_at(object_at(spec, "claimRef"), "namespace");
}

void VolumeReport::finish(const std::function<Result<json::object>(const std::string& name)>& find_volume) {
  for (auto& [name, v] : volumes_) {
    if (spec_.policies && !v.volume_noted) {
      if (const auto found = find_volume(name)) v.seen.take_volume(*found);
      else log_.warning(v.claim_namespace, "persistentvolumes " + name + ": it cannot be read, so that resource policies do not know it: " + found.error().message());
    }
    finish_volume(name, v);
  }
  for (const PodVolume& v : pod_volumes_) finish_pod_volume(v);
}

void VolumeReport::finish_volume(const std::string& name, Volume& v) {
  v.reason = kNotSaved;
  if (skips(v.seen)) {
    v.reason = kSkipped;
    log_.info("Volume " + name + ": " + kSkipped);
  } else if (!v.claim_noted) {
    return;
  } else if (spec_.snapshot_volumes == false) {
    v.reason = "the backup was made without volume snapshots";
  } else {
    const std::string message = "resource: /persistentvolumeclaims name: /" + v.claim + " message: /" + kNotSaved;
    if (spec_.snapshot_volumes == true || spec_.move_snapshot_data) log_.error(v.claim_namespace, message);
    else if (!spec_.fs_backup) log_.warning(v.claim_namespace, message);  // else the pods' volumes say it
  }
}

void VolumeReport::finish_pod_volume(const PodVolume& v) {
  const PolicyVolume* seen = &v.seen;
  if (const auto claim = claims_.find(v.claim); claim != claims_.end()) {
    const auto bound = volumes_.find(claim->second.volume);
    seen = bound == volumes_.end() ? &claim->second.seen : &bound->second.seen;
  }
  if (skips(*seen)) {
    log_.info("Volume " + v.name + " of pod " + v.name_space + "/" + v.pod + ": " + kSkipped);
    return;
  }
  log_.error(v.name_space, "resource: /pods name: /" + v.pod + " volume: /" + v.name + " message: /" + kNotSaved);
}

std::string VolumeReport::json_text() const {
  json::array all;
  for (const auto& [name, v] : volumes_) {
    json::object info{{"pvcName", v.claim}, {"pvcNamespace", v.claim_namespace}, {"pvName", name}, {"snapshotDataMoved", false},
                      {"preserveLocalSnapshot", false}, {"skipped", true}, {"skippedReason", v.reason}};
    info["pvInfo"] = json::object{{"reclaimPolicy", v.reclaim_policy}, {"labels", v.labels}};
    all.push_back(std::move(info));
  }
  return json::serialize(all);
}

}  // namespace holdfast::k8s
