#include "daemon/replicator/replicator.h"

#include <algorithm>

#include "daemon/replicator/site_probe.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr std::chrono::seconds kProbePatience{5};  // somebody waits for the answer
}

void Replicator::stop() {
  std::map<std::string, std::shared_ptr<SiteQueue>> ending;
  std::lock_guard lock(mutex_);
  stopped_ = true;
  ending.swap(queues_);
}

Result<SiteFindings> Replicator::add_site(const NewSite& site) {
  if (!is_dns_label(site.name)) return error(Code::kInvalidArgument, "\"" + site.name + "\" is no name of a site: lower case letters, digits and '-', 63 at most");
  if (registry_.find(site.name)) return error(Code::kAlreadyExists, "there is a site \"" + site.name + "\"; remove it first");
  RegisteredSite made;
  made.place = {site.url, site.region, site.bucket, site.ca_pem, site.access_key, site.secret};
  HF_TRY(const auto store, open_remote_store(made.place, *p_.clock, kProbePatience));
  made.place = store->place();
  SiteFindings found = probe_site(*store, *p_.random);
  if (!found.usable) return error(Code::kFailedPrecondition, "site \"" + site.name + "\": " + found.problem);
  made.status.name = site.name;
  made.status.added_ms = p_.clock->wall_ms();
  HF_CHECK(registry_.put(made));
  return found;
}

std::vector<SiteStatus> Replicator::sites() const {
  std::vector<SiteStatus> out;
  for (RegisteredSite& site : registry_.all()) out.push_back(std::move(site.status));
  return out;
}

Result<SiteFindings> Replicator::check_site(const std::string& name) {
  HF_TRY(const RegisteredSite site, registry_.find(name));
  HF_TRY(const auto store, open_remote_store(site.place, *p_.clock, kProbePatience));
  return probe_site(*store, *p_.random);
}

Result<void> Replicator::remove_site(const std::string& name) {
  HF_CHECK(registry_.find(name));
  std::shared_ptr<SiteQueue> ending;  // its end takes a while, without the lock
  std::lock_guard lock(mutex_);
  if (const auto queue = queues_.find(name); queue != queues_.end()) {
    if (!queue->second->idle()) return error(Code::kFailedPrecondition, "a copy to site \"" + name + "\" is waiting or running");
    ending = std::move(queue->second);
    queues_.erase(queue);
  }
  return registry_.remove(name);
}

Result<std::shared_ptr<SiteQueue>> Replicator::queue_of(const std::string& site) {
  HF_TRY(const RegisteredSite known, registry_.find(site));
  std::lock_guard lock(mutex_);
  if (stopped_) return error(Code::kUnavailable, "this appliance is stopping");
  auto& queue = queues_[site];
  if (!queue) {
    auto store = open_remote_store(known.place, *p_.clock);
    if (!store) {
      queues_.erase(site);
      return std::unexpected(store.error());
    }
    queue = std::make_shared<SiteQueue>(site, std::move(*store), p_.limits);
  }
  return queue;
}

Result<CopySource> Replicator::source_of(const std::string& cluster) const {
  for (const ClusterStatus& c : p_.clusters->clusters()) {
    if (c.name == cluster) return CopySource{p_.objects, c.bucket, c.prefix};
  }
  return error(Code::kNotFound, "no cluster \"" + cluster + "\"");
}

Result<void> Replicator::start_copy(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  CopyJob job;
  HF_TRY(job.source, source_of(cluster));
  HF_TRY(const RunStatus point, p_.clusters->backup(cluster, backup));
  if (point.phase != "Completed" && point.phase != "PartiallyFailed") {
    return error(Code::kFailedPrecondition, "backup \"" + backup + "\" of cluster \"" + cluster + "\" is no restore point: it is " + point.phase);
  }
  job.unit.cluster = cluster;
  job.unit.backup = backup;
  job.unit.source = p_.appliance_id();
  job.unit.policy = point.policy;
  job.unit.tier = point.tier;
  job.unit.started_ms = parse_iso8601(point.started).value_or(0);
  return queue->add(std::move(job));
}

Result<std::vector<CopyStatus>> Replicator::transfers(const std::string& site) {
  HF_TRY(const auto queue, queue_of(site));
  return queue->copies();
}

Result<SiteCopies> Replicator::copies(const std::string& site) {
  HF_TRY(const auto queue, queue_of(site));
  SiteCopies copies;
  copies.copies = queue->copies();  // before the list: one that ends in between is in both rather than in none
  HF_TRY(copies.units, list_units(queue->store(), ""));
  return copies;
}

Result<SiteUnit> Replicator::unit_at(RemoteStore& site, const std::string& cluster, const std::string& backup) const {
  HF_TRY(const auto units, list_units(site, cluster));
  const auto found = std::find_if(units.begin(), units.end(), [&](const SiteUnit& u) { return u.backup == backup; });
  if (found == units.end()) return error(Code::kNotFound, "the site has no copy of backup \"" + backup + "\" of cluster \"" + cluster + "\"");
  return *found;
}

Result<void> Replicator::remove_copy(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  for (const CopyStatus& c : queue->copies()) {
    if (c.cluster == cluster && c.backup == backup && c.state != "failed") return error(Code::kFailedPrecondition, "backup \"" + backup + "\" is being copied there");
  }
  HF_TRY(const SiteUnit unit, unit_at(queue->store(), cluster, backup));
  return remove_unit(queue->store(), unit);
}

}  // namespace holdfast
