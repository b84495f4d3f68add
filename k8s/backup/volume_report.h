// Volumes of a backup and what became of their data: B-volumeinfo.json, and the errors and warnings about it.
#pragma once

#include "k8s/spec/backup_spec.h"
#include "k8s/bucket/run_log.h"

namespace holdfast::k8s {

// Not thread-safe. Volume data is not saved by this engine: what was asked for by name is an error, what goes without
// saying is a warning, what was declined is neither.
class VolumeReport {
 public:
  VolumeReport(const BackupSpec& spec, RunLog& log) : spec_(spec), log_(log) {}

  void note_pod(const json::object& pod);
  void note_claim(const json::object& claim);
  void note_volume(const json::object& persistent_volume);
  // The array of volume infos.
  std::string json_text() const;

 private:
  struct Volume {
    std::string claim, claim_namespace, reclaim_policy, reason;
    json::object labels;
  };

  const BackupSpec& spec_;
  RunLog& log_;
  std::map<std::string, Volume> volumes_;  // by the persistent volume's name
};

}  // namespace holdfast::k8s
