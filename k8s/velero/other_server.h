// Backups by the server that is there instead of this one: asked for by an object, and followed to their end.
#pragma once

#include "k8s/velero/locations.h"

namespace holdfast::k8s {

// Blocks. The Backup object names the cluster's location that lies at `place`; without such a one the outcome is Failed
// and says so. What is under way when `stop` comes goes on there.
BackupOutcome back_up_by_other(const ServerContext& context, const Locations& locations, const BackupPlace& place, const BackupOrder& order,
                               BackupProgress& progress, const std::stop_token& stop);

// Asks for it by an object of a name that is always the same, so that asking again changes nothing.
Result<void> delete_by_other(const ServerContext& context, const std::string& backup);

}  // namespace holdfast::k8s
