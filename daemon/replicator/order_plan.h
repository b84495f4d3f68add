// What has to be done at a site for one tier of a policy.
#pragma once

#include <set>

#include "daemon/sites.h"

namespace holdfast {

struct OrderPlan {
  std::vector<TierPoint> copy;      // oldest first
  std::vector<SiteUnit> remove;
  std::set<std::string> unwanted;   // restore points that are not there and need not be
  int64_t next_ms = 0;              // when one there will have grown too old; 0: none will
};

// `points`: the tier's good ones here. `units`: what this appliance has brought there of the tier. What is removed is judged by
// what is there alone, so that a copy that fails costs nothing.
OrderPlan plan_order(const CopyOrder& order, const std::vector<TierPoint>& points, const std::vector<SiteUnit>& units, int64_t now_ms);

// The date that the copy's marker names: where its rule is by age alone; 0: none.
int64_t expiry_of(const RetentionRule& rule, int64_t started_ms);

}  // namespace holdfast
