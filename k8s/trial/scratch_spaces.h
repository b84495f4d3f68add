// The namespaces of a trial.
#pragma once

#include <map>

#include "k8s/restore/restore_source.h"

namespace holdfast::k8s {

// A name for each: "hf-ID-shop", cut to what a name may have, no two the same.
std::map<std::string, std::string> scratch_names(const std::string& id, const std::vector<std::string>& namespaces);

// Makes one for `name` of the backup, with its labels and the mark of the trial. kAlreadyExists: it is somebody else's.
Result<void> make_scratch(ApiClient& client, const RestoreSource& source, const std::string& id, const std::string& name, const std::string& scratch, bool isolated);

}  // namespace holdfast::k8s
