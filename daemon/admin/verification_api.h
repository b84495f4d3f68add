// Verification of restore points in the admin API.
#pragma once

#include <boost/json/array.hpp>
#include <ostream>

#include "daemon/admin/admin_call.h"
#include "daemon/verification.h"

namespace holdfast {

// What policies want verified, and what it has come to.
boost::json::array verification_orders_json(const VerificationService& verifications);
// /v1/verifications
Result<HttpResponse> serve_verifications(const VerificationService& verifications, const AdminCall& call);
// /v1/clusters/C/backups/B/verify and .../evidence
Result<HttpResponse> serve_point_verification(VerificationService& verifications, const AdminCall& call);
void render_verifications(std::ostream& out, const std::vector<VerificationStatus>& orders);

}  // namespace holdfast
