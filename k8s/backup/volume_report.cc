#include "k8s/backup/volume_report.h"

#include <algorithm>

#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

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
    if (asked || by_default) {
      log_.error(name_space, "resource: /pods name: /" + name + " volume: /" + volume_name + " message: /" + kNotSaved);
    }
  }
}

void VolumeReport::note_claim(const json::object& claim) {
  const json::object& metadata = object_at(claim, "metadata");
  const std::string volume = text_at(object_at(claim, "spec"), "volumeName");
  if (volume.empty()) return;
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  const std::string message = "resource: /persistentvolumeclaims name: /" + name + " message: /" + kNotSaved;
  Volume& v = volumes_[volume];
  v.claim = name;
  v.claim_namespace = name_space;
  v.reason = kNotSaved;
  if (spec_.snapshot_volumes == false) {
    v.reason = "the backup was made without volume snapshots";
  } else if (spec_.snapshot_volumes == true || spec_.move_snapshot_data) {
    log_.error(name_space, message);
  } else if (!spec_.fs_backup) {  // then the pods' volumes have said it
    log_.warning(name_space, message);
  }
}

void VolumeReport::note_volume(const json::object& persistent_volume) {
  const json::object& metadata = object_at(persistent_volume, "metadata");
  const json::object& spec = object_at(persistent_volume, "spec");
  Volume& v = volumes_[text_at(metadata, "name")];
  v.reclaim_policy = text_at(spec, "persistentVolumeReclaimPolicy");
  v.labels = object_at(metadata, "labels");
  if (!v.claim.empty()) return;
  v.claim = text_at(object_at(spec, "claimRef"), "name");
  v.claim_namespace = text_at(object_at(spec, "claimRef"), "namespace");
  v.reason = kNotSaved;
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
