// The `verification` of a policy's document, or of a request.
#pragma once

#include "daemon/policy_fields.h"
#include "daemon/verification.h"

namespace holdfast {

// Its fields, but for `schedule` and `within`.
const std::set<std::string_view>& verification_keys();
// Fields that are there go before those of `base`. Throws BadField.
VerificationRule verification_rule(const PolicyFields& fields, VerificationRule base = {});

}  // namespace holdfast
