// Volumes of a backup and what became of their data: B-volumeinfo.json, and the errors and warnings about it.
#pragma once

#include <functional>

#include "k8s/bucket/run_log.h"
#include "k8s/spec/backup_spec.h"

namespace holdfast::k8s {

// Not thread-safe. Volume data is not saved by this engine: what was asked for by name is an error, what goes without
// saying is a warning, what was declined or left to a policy is neither.
class VolumeReport {
 public:
  VolumeReport(const BackupSpec& spec, RunLog& log) : spec_(spec), log_(log) {}

  void note_pod(const json::object& pod);
  void note_claim(const json::object& claim);
  void note_volume(const json::object& persistent_volume);
  // Once everything was noted. `find_volume`: looks up one that was not, since it is not part of the backup; policies go by it.
  void finish(const std::function<Result<json::object>(const std::string& name)>& find_volume);
  // The array of volume infos.
  std::string json_text() const;

 private:
  struct Volume {
    std::string claim, claim_namespace, reclaim_policy, reason;
    json::object labels;
    PolicyVolume seen;
    bool claim_noted = false, volume_noted = false;
  };
  struct Claim {
    std::string volume;  // empty: it is not bound
    PolicyVolume seen;
  };
  // A pod's volume whose data was to be saved.
  struct PodVolume {
    std::string name_space, pod, name;
    std::string claim;  // "namespace/name"; empty: the pod brings it itself
    PolicyVolume seen;
  };
  bool skips(const PolicyVolume& volume) const { return spec_.policies && spec_.policies->skips(volume); }
  void finish_volume(const std::string& name, Volume& volume);
  void finish_pod_volume(const PodVolume& volume);

  const BackupSpec& spec_;
  RunLog& log_;
  std::map<std::string, Volume> volumes_;  // by the persistent volume's name
  std::map<std::string, Claim> claims_;    // by "namespace/name"
  std::vector<PodVolume> pod_volumes_;
};

}  // namespace holdfast::k8s
