// Backups and restores in a cluster's lines, whoever asked for them.
#pragma once

#include "daemon/clusters/job_lines.h"
#include "daemon/clusters/registry.h"
#include "k8s/velero_server.h"

namespace holdfast {

// `urgent`: before all that wait and are not. kAlreadyExists: one of that name runs or waits.
Result<std::shared_ptr<const k8s::BackupProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::BackupRun run, bool urgent = false);
Result<std::shared_ptr<const k8s::RestoreProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::RestoreRun run);

}  // namespace holdfast
