// What a restore point says about volumes: B-volumeinfo.json, or for backups before Velero 1.13 the lists beside it.
#pragma once

#include <map>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

struct VolumeRecord {
  std::string claim_namespace, claim;  // empty: a pod's volume without a claim
  std::string pod_namespace, pod;      // with data of a pod's volume
  std::string volume;                  // the persistent volume's name, or the volume's in its pod
  std::string method;                  // PodVolumeBackup, CSISnapshot, NativeSnapshot; empty: its data was not saved
  std::string uploader = {};           // of data in a repository: "kopia", "restic"
  bool data_moved = false;             // the node agent read a snapshot into a repository
  bool failed = false;                 // its data was to be saved, and was not
  // "shop/data", or "volume cache of pod shop/web-0".
  std::string text() const;
};

// kCorrupt: they are there and cannot be read.
Result<std::vector<VolumeRecord>> read_volume_records(const BackupPlace& place, const std::string& backup);

}  // namespace holdfast::k8s
