// Policies in Prometheus' text format, from stored facts: they survive restarts.
#pragma once

#include <ostream>

#include "daemon/services.h"

namespace holdfast {

// Under Velero's own names (pkg/metrics/metrics.go), with "POLICY-TIER" as `schedule`, so that dashboards and alerts made for
// Velero work; and what Velero does not have under ours.
// Of the clusters' own Schedule objects, what they say now: when a backup last succeeded, and how the last one ended.
void render_policies(std::ostream& out, const std::vector<PolicyStatus>& policies, const std::vector<ClusterSchedule>& schedules);
// Of the copies that they want.
void render_orders(std::ostream& out, const std::vector<OrderStatus>& orders);

}  // namespace holdfast
