// /v1/recovery
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/recovery.h"

namespace holdfast {

boost::json::object to_json(const BundleReport& report);
Result<HttpResponse> serve_recovery(RecoveryService& recovery, const AdminCall& call);

}  // namespace holdfast
