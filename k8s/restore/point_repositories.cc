#include "k8s/point_repositories.h"

#include <set>

#include "k8s/restore/volume_records.h"

namespace holdfast::k8s {

Result<std::vector<std::string>> repositories_of(const BackupPlace& place, const std::string& backup) {
  HF_TRY(const auto records, read_volume_records(place, backup));
  std::set<std::string> found;
  for (const VolumeRecord& r : records) {
    if (r.failed || (r.method != "PodVolumeBackup" && !r.data_moved)) continue;
    if (r.uploader != "kopia") return error(Code::kUnimplemented, r.text() + ": its data was saved with \"" + r.uploader + "\", not with kopia");
    const std::string& name_space = r.data_moved ? r.claim_namespace : r.pod_namespace;
    if (name_space.empty()) return error(Code::kCorrupt, r.text() + ": the restore point does not say in which namespace it was");
    found.insert("kopia/" + name_space);
  }
  return std::vector<std::string>(found.begin(), found.end());
}

}  // namespace holdfast::k8s
