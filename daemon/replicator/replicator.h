// Sites and the copies there.
#pragma once

#include <functional>
#include <map>

#include "daemon/replicator/site_queue.h"
#include "daemon/replicator/site_registry.h"
#include "daemon/services.h"
#include "storage/base/random.h"

namespace holdfast {

struct ReplicatorParts {
  SettingsStore* settings = nullptr;
  ObjectStore* objects = nullptr;
  ClusterService* clusters = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::function<std::string()> appliance_id;
  CopyLimits limits;
};

class Replicator final : public SiteService {
 public:
  explicit Replicator(ReplicatorParts parts) : p_(std::move(parts)), registry_(*p_.settings) {}

  // Running copies end; what was sent is gone on with when they begin again.
  void stop();

  Result<SiteFindings> add_site(const NewSite& site) override;
  std::vector<SiteStatus> sites() const override;
  Result<SiteFindings> check_site(const std::string& name) override;
  Result<void> remove_site(const std::string& name) override;
  Result<void> start_copy(const std::string& site, const std::string& cluster, const std::string& backup) override;
  Result<std::vector<CopyStatus>> transfers(const std::string& site) override;
  Result<SiteCopies> copies(const std::string& site) override;
  Result<void> remove_copy(const std::string& site, const std::string& cluster, const std::string& backup) override;

 private:
  // Made when it is first needed.
  Result<std::shared_ptr<SiteQueue>> queue_of(const std::string& site);
  Result<CopySource> source_of(const std::string& cluster) const;
  Result<SiteUnit> unit_at(RemoteStore& site, const std::string& cluster, const std::string& backup) const;

  const ReplicatorParts p_;
  SiteRegistry registry_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::map<std::string, std::shared_ptr<SiteQueue>> queues_;
};

}  // namespace holdfast
