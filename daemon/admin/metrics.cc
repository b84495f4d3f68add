#include "daemon/admin/metrics.h"

#include <algorithm>
#include <sstream>

#include "daemon/admin/policy_metrics.h"
#include "daemon/admin/verification_api.h"

namespace holdfast {

void Metrics::count_request(const std::string& operation, unsigned status, double seconds, uint64_t received_bytes) {
  std::lock_guard lock(mutex_);
  Operation& o = operations_[operation];
  ++o.by_status[status];
  const auto* bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++o.buckets[static_cast<size_t>(bucket - kBounds.begin())];
  o.seconds += seconds;
  o.received_bytes += received_bytes;
}

namespace {

void render_pool(std::ostream& out, const PoolStatus& p) {
  const std::string label = "{pool=\"" + p.name + "\"";
  const auto gauge = [&](const char* name, auto value) { out << "holdfast_pool_" << name << label << "} " << value << "\n"; };
  gauge("up", p.state == "online" ? 1 : 0);
  gauge("capacity_bytes", p.capacity_bytes);
  const auto space = [&](const char* kind, uint64_t bytes) {
    out << "holdfast_pool_space_bytes" << label << ",kind=\"" << kind << "\"} " << bytes << "\n";
  };
  space("live", p.live_bytes);
  space("journal", p.journal_live_bytes);
  space("garbage", p.garbage_bytes);
  space("reserve", p.reserve_bytes);
  space("headroom", p.free_bytes);
  const auto segments = [&](const char* kind, uint64_t n) {
    out << "holdfast_pool_segments" << label << ",kind=\"" << kind << "\"} " << n << "\n";
  };
  segments("free", p.free_segments);
  segments("journal", p.journal_segments);
  segments("bulk", p.bulk_segments);
  gauge("commit_groups_total", p.groups);
  gauge("records_total", p.records);
  gauge("index_lag_records", p.visible_lsn - std::min(p.visible_lsn, p.applied_lsn));
  gauge("epoch_restarts_total", p.epoch_restarts);
  gauge("device_sessions_lost_total", p.device_sessions_lost);
  gauge("time_unconfirmed", p.time_unconfirmed ? 1 : 0);
  gauge("cache_max_bytes", p.cache_max_bytes);
  gauge("cache_bytes", p.cache_bytes);
  gauge("cache_hits_total", p.cache_hits);
  gauge("cache_misses_total", p.cache_misses);
}

}  // namespace

std::string Metrics::render(const Services& services) const {
  const PoolService& pools = *services.pools;
  std::ostringstream out;
  {
    std::lock_guard lock(mutex_);
    out << "# TYPE holdfast_s3_requests_total counter\n";
    for (const auto& [name, o] : operations_) {
      for (const auto& [status, n] : o.by_status) {
        out << "holdfast_s3_requests_total{operation=\"" << name << "\",code=\"" << status << "\"} " << n << "\n";
      }
    }
    out << "# TYPE holdfast_s3_request_seconds histogram\n";
    for (const auto& [name, o] : operations_) {
      uint64_t total = 0;
      for (size_t i = 0; i < o.buckets.size(); ++i) {
        total += o.buckets[i];
        out << "holdfast_s3_request_seconds_bucket{operation=\"" << name << "\",le=\"";
        if (i < kBounds.size()) out << kBounds[i];
        else out << "+Inf";
        out << "\"} " << total << "\n";
      }
      out << "holdfast_s3_request_seconds_sum{operation=\"" << name << "\"} " << o.seconds << "\n";
      out << "holdfast_s3_request_seconds_count{operation=\"" << name << "\"} " << total << "\n";
    }
    out << "# TYPE holdfast_s3_received_bytes_total counter\n";
    for (const auto& [name, o] : operations_) {
      out << "holdfast_s3_received_bytes_total{operation=\"" << name << "\"} " << o.received_bytes << "\n";
    }
  }
  out << "holdfast_corruptions_total " << corruptions_.load() << "\n";
  for (const PoolStatus& p : pools.pools()) {
    render_pool(out, p);
    const auto scrub = pools.scrub_status(p.name);
    if (!scrub) continue;
    out << "holdfast_pool_scrub_damaged{pool=\"" << p.name << "\"} " << scrub->damaged << "\n";
    out << "holdfast_pool_scrub_finished_seconds{pool=\"" << p.name << "\"} " << scrub->finished_ms / 1000 << "\n";
  }
  for (const ClusterStatus& c : services.clusters->clusters()) {
    if (c.serve) out << "holdfast_cluster_serving{cluster=\"" << c.name << "\"} " << (c.role == "serving" ? 1 : 0) << "\n";
    if (c.serve) out << "holdfast_cluster_other_writer{cluster=\"" << c.name << "\"} " << (c.alarm.empty() ? 0 : 1) << "\n";
  }
  render_policies(out, services.policies->policies(), services.clusters->schedules());
  render_orders(out, services.sites->orders());
  render_verifications(out, services.verifications->verification_orders());
  return out.str();
}

}  // namespace holdfast
