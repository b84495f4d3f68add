#include "daemon/admin/policy_metrics.h"

#include <array>

namespace holdfast {

namespace {

struct Metric {
  const char* name;
  const char* type;
  int64_t (*value)(const PolicyStatus&, const TierStatus&);
  int64_t (*of_schedule)(const k8s::KnownSchedule&) = nullptr;
};

// 1: the last backup has everything in it; 0: it does not; before the first: 1, as Velero has it.
int64_t last_status(const TierStatus& t) {
  const PolicyRun* last = t.last_ended();
  return last == nullptr || last->state == PolicyRun::State::kCompleted ? 1 : 0;
}

int64_t last_status(const k8s::KnownSchedule& s) { return s.last_phase == "Failed" || s.last_phase == "PartiallyFailed" || s.last_phase == "FailedValidation" ? 0 : 1; }

int64_t whole(uint64_t count) { return static_cast<int64_t>(count); }

constexpr std::array<Metric, 11> kMetrics{{
    {"velero_backup_attempt_total", "counter", [](const PolicyStatus&, const TierStatus& t) { return whole(t.totals.completed + t.totals.partially_failed + t.totals.failed); }},
    {"velero_backup_success_total", "counter", [](const PolicyStatus&, const TierStatus& t) { return whole(t.totals.completed); }},
    {"velero_backup_partial_failure_total", "counter", [](const PolicyStatus&, const TierStatus& t) { return whole(t.totals.partially_failed); }},
    {"velero_backup_failure_total", "counter", [](const PolicyStatus&, const TierStatus& t) { return whole(t.totals.failed); }},
    {"velero_backup_last_successful_timestamp", "gauge", [](const PolicyStatus&, const TierStatus& t) { return t.totals.last_completed_ms / 1000; },
     [](const k8s::KnownSchedule& s) { return s.last_completed_ms / 1000; }},
    {"velero_backup_last_status", "gauge", [](const PolicyStatus&, const TierStatus& t) { return last_status(t); }, [](const k8s::KnownSchedule& s) { return last_status(s); }},
    {"holdfast_policy_skipped_total", "counter", [](const PolicyStatus&, const TierStatus& t) { return whole(t.totals.skipped); }},
    {"holdfast_policy_last_point_timestamp", "gauge", [](const PolicyStatus&, const TierStatus& t) { return t.totals.last_point_ms / 1000; }},
    {"holdfast_policy_rpo_seconds", "gauge", [](const PolicyStatus&, const TierStatus& t) { return t.rpo_ms / 1000; }},
    {"holdfast_policy_rpo_target_seconds", "gauge", [](const PolicyStatus&, const TierStatus& t) { return t.rpo_target_ms / 1000; }},
    {"holdfast_policy_paused", "gauge", [](const PolicyStatus& p, const TierStatus&) { return int64_t{p.paused}; }},
}};

}  // namespace

void render_policies(std::ostream& out, const std::vector<PolicyStatus>& policies, const std::vector<ClusterSchedule>& schedules) {
  for (const Metric& m : kMetrics) {
    if (!policies.empty() || (m.of_schedule != nullptr && !schedules.empty())) out << "# TYPE " << m.name << " " << m.type << "\n";
    for (const PolicyStatus& p : policies) {
      for (const TierStatus& t : p.tiers) out << m.name << "{schedule=\"" << p.name << "-" << t.name << "\"} " << m.value(p, t) << "\n";
    }
    if (m.of_schedule == nullptr) continue;
    for (const ClusterSchedule& c : schedules) out << m.name << "{schedule=\"" << c.schedule.name << "\",cluster=\"" << c.cluster << "\"} " << m.of_schedule(c.schedule) << "\n";
  }
}

void render_orders(std::ostream& out, const std::vector<OrderStatus>& orders) {
  const auto gauge = [&](const char* name, int64_t (*value)(const OrderStatus&)) {
    if (!orders.empty()) out << "# TYPE " << name << " gauge\n";
    for (const OrderStatus& o : orders) {
      if (o.looked_at) out << name << "{schedule=\"" << o.policy << "-" << o.tier << "\",site=\"" << o.site << "\"} " << value(o) << "\n";
    }
  };
  gauge("holdfast_copy_last_point_timestamp", [](const OrderStatus& o) { return o.newest_ms / 1000; });
  gauge("holdfast_copies_due", [](const OrderStatus& o) { return whole(o.due); });
}

}  // namespace holdfast
