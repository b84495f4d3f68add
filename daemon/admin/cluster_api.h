// Clusters and their backups in the admin API: /v1/clusters and what is below it.
#pragma once

#include <boost/json/array.hpp>

#include "daemon/admin/admin_call.h"
#include "daemon/services.h"

namespace holdfast {

boost::json::array clusters_json(const ClusterService& clusters);
// Schedule objects of all clusters.
boost::json::array schedules_json(const ClusterService& clusters);
// kNotFound for a path that is none.
Result<HttpResponse> serve_clusters(ClusterService& clusters, const AdminCall& call);

}  // namespace holdfast
