// Policies under /v1/policies.
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/services.h"

namespace holdfast {

// With their tiers and the last run of each.
boost::json::array policies_json(const PolicyService& policies);

Result<HttpResponse> serve_policies(PolicyService& policies, const AdminCall& call);

}  // namespace holdfast
