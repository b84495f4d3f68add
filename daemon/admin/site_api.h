// Sites under /v1/sites.
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/services.h"

namespace holdfast {

Result<HttpResponse> serve_sites(SiteService& sites, const AdminCall& call);

}  // namespace holdfast
