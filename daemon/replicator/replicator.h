// Sites and the copies there.
#pragma once

#include <functional>
#include <map>

#include "daemon/events.h"
#include "daemon/replicator/order_plan.h"
#include "daemon/replicator/site_queue.h"
#include "daemon/replicator/site_registry.h"
#include "daemon/services.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"

namespace holdfast {

struct ReplicatorParts {
  SettingsStore* settings = nullptr;
  ObjectStore* objects = nullptr;
  ClusterService* clusters = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::string appliance_id;
  std::function<std::vector<CopyOrder>()> orders;  // what policies want copied
  std::function<bool()> may_remove;             // false: nothing is removed at sites
  std::function<void(const std::string& policy)> on_news;  // fewer of its copies are due than before
  EventSink tell = {};                      // empty: nobody listens
  std::function<bool()> is_active;          // false: nothing is copied or removed at sites
  ConfirmSite confirm;                      // before each write to a site
  CopyLimits limits;
  std::function<Result<std::shared_ptr<RemoteStore>>(const RemotePlace& place)> open = {};  // empty: over S3
};

class Replicator final : public SiteService {
 public:
  explicit Replicator(ReplicatorParts parts);
  ~Replicator() override { stop(); }

  // From now on a thread of its own sees to what policies want copied.
  void start();
  // There may be something to copy.
  void wake();
  // What that thread does: looks at every site that policies name, lines up what is missing there, removes what no rule keeps.
  void pass(const std::stop_token& stop);
  // A policy wants it at a site, and it may not be there yet.
  bool copy_is_due(const std::string& policy, const std::string& tier, const std::string& backup) const;

  // Waits until nothing waits or runs at a site; false: something did, all the time.
  bool wait_idle(const std::string& site, std::chrono::milliseconds at_most);

  // Running copies end; what was sent is gone on with when they begin again.
  void stop();

  Result<SiteFindings> add_site(const NewSite& site) override;
  std::vector<SiteStatus> sites() const override;
  Result<SiteFindings> check_site(const std::string& name) override;
  Result<void> limit_site(const std::string& name, uint64_t bytes_per_second) override;
  Result<void> remove_site(const std::string& name) override;
  Result<void> start_copy(const std::string& site, const std::string& cluster, const std::string& backup) override;
  Result<void> start_fetch(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) override;
  Result<void> start_layout(const std::string& site, const std::string& cluster, const std::string& backup) override;
  Result<std::vector<SiteUnit>> hidden_copies(const std::string& site) override;
  Result<void> start_unhiding(const std::string& site, const std::string& cluster, const std::string& backup) override;
  Result<void> start_clearing(const std::string& site, const std::string& cluster, const std::string& backup) override;
  Result<std::shared_ptr<ObjectStore>> open_copy(const std::string& site, const std::string& cluster, const std::string& backup) override;
  std::vector<OrderStatus> orders() const override;
  std::vector<std::string> alarms() const override;
  Result<std::vector<CopyStatus>> transfers(const std::string& site) override;
  Result<SiteCopies> copies(const std::string& site) override;
  Result<void> check_copy(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) override;
  Result<void> remove_copy(const std::string& site, const std::string& cluster, const std::string& backup) override;

 private:
  // Made when it is first needed.
  Result<std::shared_ptr<SiteQueue>> queue_of(const std::string& site);
  void copy_ended(const std::string& site, const CopyStatus& ended);
  Result<CopySource> source_of(const std::string& cluster) const;
  Result<SiteUnit> unit_at(RemoteStore& site, const std::string& cluster, const std::string& backup) const;

  // What an order has come to, as far as is known since the start.
  struct Known {
    std::set<std::string> present, unwanted;  // restore points by name
    std::string problem;                      // why that is not known now
    int64_t newest_ms = 0;                    // as in OrderStatus
    uint64_t there = 0, due = 0;
  };
  using OrderKey = std::tuple<std::string, std::string, std::string>;  // policy, tier, site
  struct Listed {
    Result<std::vector<SiteUnit>> units;
    Result<std::vector<RunStatus>> points;
  };
  Result<std::shared_ptr<RemoteStore>> open(const RemotePlace& place) const;
  void forget_others(const std::vector<CopyOrder>& orders);
  Listed look(const std::string& site, const std::string& cluster);
  static std::set<std::string> failed_copies(const SiteQueue& queue, const std::string& cluster, const std::vector<TierPoint>& points);
  static bool is_wanted_by_label(const CopyOrder& order, const RunStatus& point, const std::vector<SiteUnit>& units);
  // `units`: those of one cluster.
  void take_superseded_away(const std::string& site, SiteQueue& queue, std::vector<SiteUnit>& units);
  void carry_out(const CopyOrder& order, const Listed& listed, const std::stop_token& stop);
  void sweep_daily(const std::string& site, const std::string& cluster);
  void set_ends(SiteUnit& unit, const TierCopy& copy) const;
  Result<CopyJob> job_for(const std::string& cluster, const RunStatus& point) const;

  const ReplicatorParts p_;
  SiteRegistry registry_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, std::shared_ptr<SiteQueue>> queues_;
  std::map<OrderKey, Known> known_;
  std::map<std::pair<std::string, std::string>, int64_t> swept_ms_;  // by site and cluster, on the monotonic clock; the pass alone uses it
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast
