#include "daemon/replicator/replicator.h"

#include <algorithm>

#include "daemon/holds.h"
#include "daemon/replicator/site_probe.h"
#include "daemon/replicator/unit_layout.h"
#include "daemon/replicator/unit_lock.h"
#include "daemon/replicator/unit_objects.h"
#include "storage/base/log.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {
constexpr std::chrono::seconds kProbePatience{5};  // somebody waits for the answer
constexpr std::chrono::minutes kPassEvery{10};
constexpr int64_t kSweepEveryMs = 24 * 3600 * 1000;

Result<void> check_limit(uint64_t bytes_per_second) {
  if (bytes_per_second == 0 || bytes_per_second >= kLeastBytesPerSecond) return {};
  return error(Code::kInvalidArgument, "a bandwidth of " + std::to_string(bytes_per_second) + " bytes a second is too little: " + std::to_string(kLeastBytesPerSecond) + " at least, or none");
}
}

Replicator::Replicator(ReplicatorParts parts) : p_(std::move(parts)), registry_(*p_.settings) {}

void Replicator::start() {
  std::lock_guard lock(mutex_);
  worker_ = std::make_unique<Worker>("replicator", [this](std::stop_token stop) {
    pass(stop);
    return kPassEvery;
  });
}

void Replicator::wake() {
  std::lock_guard lock(mutex_);
  if (worker_) worker_->wake();
}

void Replicator::stop() {
  std::unique_ptr<Worker> worker;
  std::map<std::string, std::shared_ptr<SiteQueue>> ending;
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& [name, queue] : queues_) queue->store().stop();  // a pass may wait for it
  ending.swap(queues_);
  worker = std::move(worker_);
}

Result<SiteFindings> Replicator::add_site(const NewSite& site) {
  if (!is_dns_label(site.name)) return error(Code::kInvalidArgument, "\"" + site.name + "\" is no name of a site: lower case letters, digits and '-', 63 at most");
  if (registry_.find(site.name)) return error(Code::kAlreadyExists, "there is a site \"" + site.name + "\"; remove it first");
  RegisteredSite made;
  HF_CHECK(check_limit(site.bytes_per_second));
  made.place = {site.url, site.region, site.bucket, site.ca_pem, site.access_key, site.secret, site.bytes_per_second};
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

Result<void> Replicator::limit_site(const std::string& name, uint64_t bytes_per_second) {
  HF_CHECK(check_limit(bytes_per_second));
  HF_TRY(RegisteredSite site, registry_.find(name));
  site.place.bytes_per_second = bytes_per_second;
  HF_CHECK(registry_.put(site));
  std::lock_guard lock(mutex_);
  if (const auto queue = queues_.find(name); queue != queues_.end()) queue->second->store().limit_bandwidth(bytes_per_second);
  return {};
}

bool Replicator::wait_idle(const std::string& site, std::chrono::milliseconds at_most) {
  std::shared_ptr<SiteQueue> queue;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = queues_.find(site); found != queues_.end()) queue = found->second;
  }
  return !queue || queue->wait_idle(at_most);
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

Result<std::shared_ptr<RemoteStore>> Replicator::open(const RemotePlace& place) const {
  if (p_.open) return p_.open(place);
  return open_remote_store(place, *p_.clock);
}

Result<std::shared_ptr<SiteQueue>> Replicator::queue_of(const std::string& site) {
  HF_TRY(const RegisteredSite known, registry_.find(site));
  std::lock_guard lock(mutex_);
  if (stopped_) return error(Code::kUnavailable, "this appliance is stopping");
  auto& queue = queues_[site];
  if (!queue) {
    auto store = open(known.place);
    if (!store) {
      queues_.erase(site);
      return std::unexpected(store.error());
    }
    queue = std::make_shared<SiteQueue>(site, std::move(*store), p_.limits, p_.confirm, [this, site](const CopyStatus& ended) { copy_ended(site, ended); });
  }
  return queue;
}

void Replicator::copy_ended(const std::string& site, const CopyStatus& ended) {
  // One that failed is asked for again by the next pass, in its time.
  if (ended.state != "failed") return wake();
  if (p_.tell) p_.tell({EventKind::kCopyFailed, ended.cluster, "", "", ended.backup, site, "it is not copied to site \"" + site + "\": " + ended.reason, p_.clock->wall_ms()});
}

Result<CopySource> Replicator::source_of(const std::string& cluster) const {
  for (const ClusterStatus& c : p_.clusters->clusters()) {
    if (c.name == cluster) return CopySource{p_.objects, c.bucket, c.prefix};
  }
  return error(Code::kNotFound, "no cluster \"" + cluster + "\"");
}

Result<CopyJob> Replicator::job_for(const std::string& cluster, const RunStatus& point) const {
  CopyJob job;
  HF_TRY(job.source, source_of(cluster));
  job.unit.cluster = cluster;
  job.unit.backup = point.name;
  job.unit.source = p_.appliance_id;
  job.unit.policy = point.policy;
  job.unit.tier = point.tier;
  job.unit.started_ms = parse_iso8601(point.started).value_or(0);
  return job;
}

void Replicator::set_ends(SiteUnit& unit, const TierCopy& copy) const {
  unit.locked_until_ms = lock_end(copy.lock_ms, unit.started_ms, p_.clock->wall_ms());
  unit.expires_ms = expiry_of(copy.retention, unit.started_ms);
  if (unit.expires_ms != 0) unit.expires_ms = std::max(unit.expires_ms, unit.locked_until_ms);
}

Result<void> Replicator::start_copy(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  HF_TRY(const RunStatus point, p_.clusters->backup(cluster, backup));
  if (point.phase != "Completed" && point.phase != "PartiallyFailed") {
    return error(Code::kFailedPrecondition, "backup \"" + backup + "\" of cluster \"" + cluster + "\" is no restore point: it is " + point.phase);
  }
  HF_TRY(CopyJob job, job_for(cluster, point));
  // A policy that wants it there has a say in how long.
  for (const CopyOrder& order : p_.orders()) {
    if (order.copy.site == site && order.policy == point.policy && order.tier == point.tier) set_ends(job.unit, order.copy);
  }
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
  HF_TRY(copies.layouts, list_layouts(queue->store()));
  return copies;
}

Result<SiteUnit> Replicator::unit_at(RemoteStore& site, const std::string& cluster, const std::string& backup) const {
  HF_TRY(const auto units, list_units(site, cluster));
  const auto found = std::find_if(units.begin(), units.end(), [&](const SiteUnit& u) { return u.backup == backup; });
  if (found == units.end()) return error(Code::kNotFound, "the site has no copy of backup \"" + backup + "\" of cluster \"" + cluster + "\"");
  return *found;
}

Result<void> Replicator::check_copy(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) {
  HF_TRY(const auto queue, queue_of(site));
  CopyJob job;
  HF_TRY(job.unit, unit_at(queue->store(), cluster, backup));
  job.kind = CopyJob::Kind::kCheck;
  job.volumes = volumes;
  return queue->add(std::move(job));
}

Result<void> Replicator::start_fetch(const std::string& site, const std::string& cluster, const std::string& backup, bool volumes) {
  HF_TRY(const auto queue, queue_of(site));
  CopyJob job;
  job.kind = CopyJob::Kind::kFetch;
  job.volumes = volumes;
  HF_TRY(job.source, source_of(cluster));
  HF_TRY(job.unit, unit_at(queue->store(), cluster, backup));
  if (p_.clusters->backup(cluster, backup)) return error(Code::kAlreadyExists, "there is a backup \"" + backup + "\" of cluster \"" + cluster + "\" here");
  HF_CHECK(hold_point(*p_.settings, cluster, backup, "it was brought back from site \"" + site + "\": it stays until it is deleted"));
  return queue->add(std::move(job));
}

Result<void> Replicator::start_layout(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  CopyJob job;
  job.kind = CopyJob::Kind::kLayOut;
  HF_TRY(job.unit, unit_at(queue->store(), cluster, backup));
  return queue->add(std::move(job));
}

Result<std::shared_ptr<ObjectStore>> Replicator::open_copy(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  HF_TRY(const SiteUnit unit, unit_at(queue->store(), cluster, backup));
  return open_unit(queue->shared_store(), unit);
}

Result<std::vector<SiteUnit>> Replicator::hidden_copies(const std::string& site) {
  HF_TRY(const auto queue, queue_of(site));
  return list_hidden_units(queue->store());
}

Result<void> Replicator::start_unhiding(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  CopyJob job;
  job.kind = CopyJob::Kind::kUnhide;
  job.unit.cluster = cluster;
  job.unit.backup = backup;
  return queue->add(std::move(job));
}

Result<void> Replicator::start_clearing(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  HF_TRY(const auto layouts, list_layouts(queue->store()));
  if (std::none_of(layouts.begin(), layouts.end(), [&](const SiteLayout& l) { return l.cluster == cluster && l.backup == backup; })) {
    return error(Code::kNotFound, "backup \"" + backup + "\" of cluster \"" + cluster + "\" is not laid out at site \"" + site + "\"");
  }
  CopyJob job;
  job.kind = CopyJob::Kind::kClear;
  job.unit.cluster = cluster;
  job.unit.backup = backup;
  return queue->add(std::move(job));
}

Result<void> Replicator::remove_copy(const std::string& site, const std::string& cluster, const std::string& backup) {
  HF_TRY(const auto queue, queue_of(site));
  for (const CopyStatus& c : queue->copies()) {
    if (c.cluster == cluster && c.backup == backup && c.open()) {
      return error(Code::kFailedPrecondition, "backup \"" + backup + "\" is being copied, checked, fetched or laid out there");
    }
  }
  const bool had_failed = queue->forget(cluster, backup);
  const auto unit = unit_at(queue->store(), cluster, backup);
  if (!unit && unit.error().code() == Code::kNotFound && had_failed) return {};
  if (!unit) return std::unexpected(unit.error());
  HF_CHECK(p_.confirm(site, queue->store()));
  HF_CHECK(remove_unit(queue->store(), *unit));
  queue->sweep(cluster);
  return {};
}

// A marker without a lock beside one whose lock holds: the second was written when all was locked, and who was to take the first away then
// ended before that.
void Replicator::take_superseded_away(const std::string& site, SiteQueue& queue, std::vector<SiteUnit>& units) {
  const int64_t now_ms = p_.clock->wall_ms();
  std::set<std::pair<std::string, int64_t>> locked;  // backup, start
  for (const SiteUnit& u : units) {
    if (u.source == p_.appliance_id && u.locked_until_ms > now_ms) locked.emplace(u.backup, u.started_ms);
  }
  std::erase_if(units, [&](const SiteUnit& u) {
    if (u.source != p_.appliance_id || u.locked_until_ms != 0 || !locked.contains({u.backup, u.started_ms})) return false;
    if (!p_.may_remove() || !p_.confirm(site, queue.store())) return true;
    if (const auto removed = queue.store().remove(marker_key(u)); !removed) spdlog::warn("site {}: a second marker of the copy of {} cannot be removed: {}", site, u.backup, removed.error().message());
    return true;
  });
}

Replicator::Listed Replicator::look(const std::string& site, const std::string& cluster) {
  const auto queue = queue_of(site);
  if (!queue) return {std::unexpected(queue.error()), {}};
  auto units = list_units((*queue)->store(), cluster);
  if (!units) return {std::move(units), {}};
  take_superseded_away(site, **queue, *units);
  return {std::move(units), p_.clusters->backups(cluster)};
}

// What was known of orders that are no more.
void Replicator::forget_others(const std::vector<CopyOrder>& orders) {
  std::set<OrderKey> keys;
  for (const CopyOrder& order : orders) keys.insert({order.policy, order.tier, order.copy.site});
  std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const auto& known) { return !keys.contains(known.first); });
}

std::vector<OrderStatus> Replicator::orders() const {
  const std::vector<CopyOrder> wanted = p_.orders();
  std::vector<OrderStatus> out;
  std::lock_guard lock(mutex_);
  for (const CopyOrder& o : wanted) {
    OrderStatus& s = out.emplace_back(OrderStatus{o.cluster, o.policy, o.tier, o.copy.site});
    const auto known = known_.find({o.policy, o.tier, o.copy.site});
    if (known == known_.end()) continue;
    s.looked_at = true;
    s.newest_ms = known->second.newest_ms;
    s.there = known->second.there;
    s.due = known->second.due;
    s.problem = known->second.problem;
  }
  return out;
}

std::vector<std::string> Replicator::alarms() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [key, known] : known_) {
    const auto& [policy, tier, site] = key;
    if (!known.problem.empty()) out.push_back("policy \"" + policy + "\", tier \"" + tier + "\": nothing can be copied to site \"" + site + "\": " + known.problem);
  }
  for (const auto& [site, queue] : queues_) {
    for (const std::string& p : queue->sweep_problems()) out.push_back(p);
    for (const CopyStatus& c : queue->copies()) {
      for (const std::string& d : c.damage) out.push_back("the copy of backup \"" + c.backup + "\" of cluster \"" + c.cluster + "\" at site \"" + site + "\" is damaged: " + d);
      if (c.state == "failed") out.push_back("backup \"" + c.backup + "\" of cluster \"" + c.cluster + "\" is not copied to site \"" + site + "\": " + c.reason);
    }
  }
  return out;
}

void Replicator::pass(const std::stop_token& stop) {
  if (!p_.is_active()) return;
  std::map<std::pair<std::string, std::string>, Listed> listed;  // by site and cluster
  const std::vector<CopyOrder> orders = p_.orders();
  forget_others(orders);
  for (const CopyOrder& order : orders) {
    if (stop.stop_requested()) return;
    const std::pair key(order.copy.site, order.cluster);
    auto at = listed.find(key);
    if (at == listed.end()) at = listed.emplace(key, look(order.copy.site, order.cluster)).first;
    const Listed& l = at->second;
    if (l.units && l.points) {
      carry_out(order, l, stop);
      sweep_daily(order.copy.site, order.cluster);
      continue;
    }
    const std::string problem = l.units ? l.points.error().message() : l.units.error().message();
    spdlog::warn("policy {}, tier {}: nothing can be copied to site {}: {}", order.policy, order.tier, order.copy.site, problem);
    std::lock_guard lock(mutex_);
    Known& known = known_[{order.policy, order.tier, order.copy.site}];
    if (p_.tell && known.problem.empty()) p_.tell({EventKind::kSiteProblem, order.cluster, order.policy, order.tier, "", order.copy.site, "nothing can be copied to site \"" + order.copy.site + "\": " + problem, p_.clock->wall_ms()});
    known.problem = problem;
  }
}

// Blobs that were too young when what needed them was removed.
void Replicator::sweep_daily(const std::string& site, const std::string& cluster) {
  const auto queue = queue_of(site);
  if (!queue || !p_.may_remove()) return;
  const int64_t now_ms = p_.clock->monotonic_ms();
  const auto [swept, first] = swept_ms_.emplace(std::pair(site, cluster), now_ms);
  if (!first && now_ms - swept->second < kSweepEveryMs && (*queue)->sweep_problem(cluster).empty()) return;
  swept->second = now_ms;
  (*queue)->sweep(cluster);
}

// Restore points here whose copy failed: what lies at the site of it may not be what was meant, even where it bears a marker.
std::set<std::string> Replicator::failed_copies(const SiteQueue& queue, const std::string& cluster, const std::vector<TierPoint>& points) {
  std::set<std::string> failed;
  for (const CopyStatus& c : queue.copies()) {
    const bool here = std::any_of(points.begin(), points.end(), [&](const TierPoint& p) { return p.name == c.backup; });
    if (c.state == "failed" && c.cluster == cluster && here) failed.insert(c.backup);
  }
  return failed;
}

// No other tier has had it copied there.
bool Replicator::is_wanted_by_label(const CopyOrder& order, const RunStatus& point, const std::vector<SiteUnit>& units) {
  if (order.copy.labels.empty() || !point.policy.empty()) return false;
  const bool bears_all = std::all_of(order.copy.labels.begin(), order.copy.labels.end(), [&](const auto& label) {
    const auto found = point.labels.find(label.first);
    return found != point.labels.end() && found->second == label.second;
  });
  return bears_all && std::none_of(units.begin(), units.end(), [&](const SiteUnit& u) { return u.backup == point.name && (u.policy != order.policy || u.tier != order.tier); });
}

void Replicator::carry_out(const CopyOrder& order, const Listed& listed, const std::stop_token& stop) {
  const auto queue = queue_of(order.copy.site);
  if (!queue) return;
  Known known;
  std::vector<TierPoint> points;
  std::map<std::string, const RunStatus*> by_name;
  for (const RunStatus& p : *listed.points) {
    const auto started_ms = parse_iso8601(p.started);
    const bool of_tier = p.policy == order.policy && p.tier == order.tier;
    if ((!of_tier && !is_wanted_by_label(order, p, *listed.units)) || !started_ms) continue;
    if (p.phase == "PartiallyFailed") known.unwanted.insert(p.name);  // is never copied: nothing here waits for it
    if (p.phase != "Completed") continue;
    points.push_back({p.name, *started_ms, true, true});
    by_name[p.name] = &p;
  }
  const std::set<std::string> failed = failed_copies(**queue, order.cluster, points);
  std::vector<SiteUnit> units;
  for (const SiteUnit& u : *listed.units) {
    if (failed.contains(u.backup)) continue;
    known.present.insert(u.backup);
    if (u.source != p_.appliance_id || u.policy != order.policy || u.tier != order.tier) continue;
    // One that should be locked, and is not as yet, is copied again: nothing is sent.
    const bool lacks_lock = u.locked_until_ms == 0 && lock_end(order.copy.lock_ms, u.started_ms, p_.clock->wall_ms()) != 0;
    if (!lacks_lock || !by_name.contains(u.backup)) units.push_back(u);
  }
  OrderPlan plan = plan_order(order, points, units, p_.clock->wall_ms());
  known.unwanted.merge(plan.unwanted);
  known.there = units.size();
  known.due = plan.copy.size();
  for (const SiteUnit& u : units) known.newest_ms = std::max(known.newest_ms, u.started_ms);
  bool news = false;
  {
    std::lock_guard lock(mutex_);
    Known& before = known_[{order.policy, order.tier, order.copy.site}];
    news = before.present != known.present || before.unwanted != known.unwanted;
    before = std::move(known);
  }
  if (news) p_.on_news(order.policy);
  for (const TierPoint& p : plan.copy) {
    auto job = job_for(order.cluster, *by_name.at(p.name));
    if (!job) continue;
    // Its rule there is that of the tier that asked for it.
    job->unit.policy = order.policy;
    job->unit.tier = order.tier;
    set_ends(job->unit, order.copy);
    (void)(*queue)->add(std::move(*job));  // one that stands in line already
  }
  for (const SiteUnit& u : plan.remove) {
    if (stop.stop_requested() || !p_.may_remove() || !p_.confirm(order.copy.site, (*queue)->store())) return;
    if (const auto removed = remove_unit((*queue)->store(), u); !removed) {
      spdlog::error("policy {}, tier {}: the copy of {} at site {} cannot be removed: {}", order.policy, order.tier, u.backup, order.copy.site, removed.error().message());
      continue;
    }
    spdlog::info("policy {}, tier {}: the copy of {} at site {} is removed: no rule keeps it", order.policy, order.tier, u.backup, order.copy.site);
    swept_ms_.erase({order.copy.site, order.cluster});  // it may have been the last that needed something
    std::lock_guard lock(mutex_);
    if (const auto now = known_.find({order.policy, order.tier, order.copy.site}); now != known_.end()) --now->second.there;
  }
}

bool Replicator::copy_is_due(const std::string& policy, const std::string& tier, const std::string& backup) const {
  for (const CopyOrder& order : p_.orders()) {
    if (order.policy != policy || order.tier != tier) continue;
    std::lock_guard lock(mutex_);
    const auto known = known_.find({policy, tier, order.copy.site});
    // What was not looked for since the start may be missing.
    if (known == known_.end() || (!known->second.present.contains(backup) && !known->second.unwanted.contains(backup))) return true;
  }
  return false;
}

}  // namespace holdfast
