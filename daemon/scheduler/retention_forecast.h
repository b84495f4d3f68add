// What a policy's rules make of its restore points in the time to come, if every run completes at its time.
#pragma once

#include "daemon/scheduler/retention_keeper.h"

namespace holdfast {

// `why_it_stays` (empty: nothing) holds what no rule keeps. Blocks for some seconds at most: where there would be too much to think through the
// forecast ends sooner than `horizon_ms` (Unix time), and says so.
RetentionForecast forecast_policy(const Policy& policy, const std::vector<OwnedPoint>& points, int64_t now_ms, int64_t horizon_ms, const WhyItStays& why_it_stays);

}  // namespace holdfast
