// Tries whether what was restored is of use.
#pragma once

#include "k8s/client/api_client.h"
#include "k8s/restore_trial.h"

namespace holdfast::k8s {

// Again and again until it succeeds or its time is over. Why it did not; empty: it did.
std::string run_check(const ClusterAccess& access, Clock& clock, const TrialCheck& check, const std::string& name_space, const std::stop_token& stop);

}  // namespace holdfast::k8s
