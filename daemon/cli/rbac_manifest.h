// The permissions that Holdfast needs in a cluster, as a manifest to apply there.
#pragma once

#include <string>

namespace holdfast {

// A namespace, a service account with a token, and its cluster role. `backup_only`: without what restoring takes.
std::string rbac_manifest(bool backup_only, const std::string& name_space);

}  // namespace holdfast
