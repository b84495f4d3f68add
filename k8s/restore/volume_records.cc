#include "k8s/restore/volume_records.h"

#include "k8s/bucket/gunzip_stream.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

namespace {

constexpr uint64_t kMaxPackedBytes = 64 << 20;
constexpr uint64_t kMaxBytes = 256 << 20;

// The array of a companion object; empty for "null" and where the object is not there.
Result<std::optional<json::array>> companion(const BackupPlace& place, const std::string& backup, const std::string& suffix) {
  const std::string file = backup + suffix;
  auto packed = get_object(*place.store, place.bucket, restore_point_key(place, backup, file), kMaxPackedBytes);
  if (!packed && packed.error().code() == Code::kNotFound) return std::nullopt;
  if (!packed) return std::unexpected(packed.error());
  auto text = gunzip(*packed, kMaxBytes);
  if (!text) return error(Code::kCorrupt, file + ": " + text.error().message());
  boost::system::error_code ec;
  json::value v = json::parse(*text, ec);
  if (!ec && v.is_null()) return json::array();
  if (ec || !v.is_array()) return error(Code::kCorrupt, file + " is not a list");
  return std::move(v.get_array());
}

// A data mover of somebody else has its own place. velero/pkg/datamover/util.go
bool moved_by_velero(const json::object& info) {
  const std::string mover = text_at(object_at(info, "snapshotDataMovementInfo"), "dataMover");
  return is_true(info, "snapshotDataMoved") && (mover.empty() || mover == "velero");
}

std::vector<VolumeRecord> from_infos(const json::array& infos) {
  std::vector<VolumeRecord> out;
  for (const json::value& v : infos) {
    const json::object* info = v.if_object();
    if (info == nullptr) continue;
    const json::object& pod = object_at(*info, "pvbInfo");
    VolumeRecord r{text_at(*info, "pvcNamespace"), text_at(*info, "pvcName"), text_at(pod, "podNamespace"), text_at(pod, "podName"),
                   text_at(*info, "pvName"), is_true(*info, "skipped") ? std::string() : text_at(*info, "backupMethod")};
    r.data_moved = moved_by_velero(*info);
    r.uploader = text_at(r.data_moved ? object_at(*info, "snapshotDataMovementInfo") : pod, "uploaderType");
    r.failed = text_at(*info, "result") == "failed";
    if (r.volume.empty()) r.volume = text_at(pod, "volumeName");
    out.push_back(std::move(r));
  }
  return out;
}

std::vector<VolumeRecord> from_older(const json::array& pod_volumes, const json::array& snapshots) {
  std::vector<VolumeRecord> out;
  for (const json::value& v : pod_volumes) {
    if (!v.is_object()) continue;
    const json::object& spec = object_at(v.get_object(), "spec");
    const json::object& pod = object_at(spec, "pod");
    VolumeRecord& r = out.emplace_back(VolumeRecord{{}, {}, text_at(pod, "namespace"), text_at(pod, "name"), text_at(spec, "volume"), "PodVolumeBackup"});
    r.uploader = text_at(spec, "uploaderType");
    if (r.uploader.empty()) r.uploader = "restic";  // from before there was a choice
    r.failed = text_at(object_at(v.get_object(), "status"), "phase") == "Failed";
  }
  for (const json::value& v : snapshots) {
    if (!v.is_object()) continue;
    out.push_back({{}, {}, {}, {}, text_at(object_at(v.get_object(), "spec"), "persistentVolumeName"), "NativeSnapshot"});
  }
  return out;
}

}  // namespace

std::string VolumeRecord::text() const {
  if (!claim.empty()) return claim_namespace + "/" + claim;
  if (!pod.empty()) return "volume " + volume + " of pod " + pod_namespace + "/" + pod;
  return "persistent volume " + volume;
}

Result<std::vector<VolumeRecord>> read_volume_records(const BackupPlace& place, const std::string& backup) {
  HF_TRY(const auto infos, companion(place, backup, "-volumeinfo.json.gz"));
  if (infos) return from_infos(*infos);
  HF_TRY(const auto pod_volumes, companion(place, backup, "-podvolumebackups.json.gz"));
  HF_TRY(const auto snapshots, companion(place, backup, "-volumesnapshots.json.gz"));
  return from_older(pod_volumes.value_or(json::array()), snapshots.value_or(json::array()));
}

}  // namespace holdfast::k8s
