// Backups and restores of the admin API: /v1/clusters/CLUSTER/backups/... and .../restores/...
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/services.h"

namespace holdfast {

Result<HttpResponse> serve_backups(ClusterService& clusters, const AdminCall& call);
Result<HttpResponse> serve_restores(ClusterService& clusters, const AdminCall& call);

}  // namespace holdfast
