// What verification needs of clusters and their restore points. The tests have one of their own.
#pragma once

#include "daemon/verification.h"
#include "k8s/point_check.h"

namespace holdfast {

// Thread-safe; calls block.
class PointTrials {
 public:
  virtual ~PointTrials() = default;
  // See k8s/point_check.h. kNotFound: no such cluster or restore point.
  virtual Result<k8s::PointCheck> read_point(const std::string& cluster, const std::string& backup, std::stop_token stop) = 0;
  // See k8s/restore_trial.h. kNotFound, as above. Wherever it is killed, clean_up() removes what it made.
  virtual Result<k8s::TrialOutcome> try_point(const std::string& cluster, const std::string& backup, const VerificationRule& rule, k8s::TrialProgress& progress, std::stop_token stop) = 0;
  virtual Result<k8s::PointEvidence> evidence(const std::string& cluster, const std::string& backup) = 0;
  virtual Result<void> put_evidence(const std::string& cluster, const std::string& backup, const k8s::PointEvidence& evidence) = 0;
  // What earlier trials could not remove. An error: something of it is still there.
  virtual Result<void> clean_up() = 0;
};

}  // namespace holdfast
