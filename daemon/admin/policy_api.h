// Policies under /v1/policies.
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/services.h"

namespace holdfast {

Result<HttpResponse> serve_policies(PolicyService& policies, const AdminCall& call);

}  // namespace holdfast
