#include "daemon/recovery/local_recovery.h"

#include <algorithm>

#include "daemon/identity.h"
#include "storage/base/log.h"
#include "storage/crypto/key_file.h"

namespace holdfast {

namespace {

constexpr std::chrono::seconds kPassEvery{15};
constexpr int64_t kLookEveryMs = 60'000;
constexpr size_t kKeptBundles = 20;

}  // namespace

Result<void> LocalRecovery::load() {
  HF_TRY(appliance_, appliance_id(*p_.settings, *p_.random));
  return own_.load(appliance_, p_.host, *p_.random);
}

void LocalRecovery::start() {
  std::lock_guard lock(mutex_);
  worker_ = std::make_unique<Worker>("recovery", [this](std::stop_token stop) {
    pass(stop);
    return kPassEvery;
  });
}

void LocalRecovery::stop() {
  std::unique_ptr<Worker> worker;
  std::lock_guard lock(mutex_);
  std::swap(worker, worker_);
}

Result<void> LocalRecovery::check_standing() const {
  const OwnClaim::Standing own = own_.now();
  if (own.state == ApplianceState::kActive) return {};
  return error(Code::kFailedPrecondition, "this appliance does not act: " + own.reason);
}

Result<void> LocalRecovery::confirm(const std::string& name, RemoteStore& site) {
  HF_CHECK(check_standing());
  Claim ours = own_.now().claim;
  ours.claimed_ms = p_.clock->wall_ms();
  HF_TRY(const Claim standing, put_claim(site, ours));
  if (standing.same_holder(ours)) return {};
  own_.give_way(standing, name);
  active_ = false;
  std::lock_guard lock(mutex_);
  if (worker_) worker_->wake();
  return check_standing();
}

bool LocalRecovery::is_due(const Known& known, const std::string& digest) const {
  const int64_t now_ms = p_.clock->monotonic_ms();
  if (known.looked_at_ms < 0 || now_ms - known.looked_at_ms >= kLookEveryMs) return true;
  return p_.keys && known.problem.empty() && known.sent_digest != digest && (known.sent_at_ms < 0 || now_ms - known.sent_at_ms >= kLookEveryMs);
}

void LocalRecovery::pass(const std::stop_token& stop) {
  const std::vector<RecoverySite> sites = p_.sites();
  std::map<std::string, Known> known;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(known_, [&](const auto& k) { return std::none_of(sites.begin(), sites.end(), [&](const RecoverySite& s) { return s.name == k.first; }); });
    known = known_;
  }
  const bool acts = own_.now().state == ApplianceState::kActive;
  const bool sends = p_.keys && !sites.empty() && acts;
  const std::string content = sends ? encode(content_of(*p_.settings, *p_.users, *p_.buckets)) : "";
  const std::string digest = sends ? digest_of(*p_.keys, content) : "";
  for (const RecoverySite& site : sites) {
    if (!acts || stop.stop_requested() || own_.now().state != ApplianceState::kActive) break;  // one that was just activated begins with the next pass
    Known& k = known[site.name];
    if (!is_due(k, digest)) continue;
    const auto done = see_to(site, content, digest, k);
    k.problem = done ? "" : done.error().message();
    if (!done) spdlog::warn("site {}: the settings cannot be brought there: {}", site.name, k.problem);
    k.looked_at_ms = p_.clock->monotonic_ms();
    std::lock_guard lock(mutex_);
    known_[site.name] = k;
  }
  looked_ = true;
  tell();
}

void LocalRecovery::tell() {
  active_ = looked_ && own_.now().state == ApplianceState::kActive;
  if (told_ == active_.load()) return;
  told_ = active_.load();
  if (p_.on_change) p_.on_change(*told_);
}

Result<void> LocalRecovery::see_to(const RecoverySite& site, const std::string& content, const std::string& digest, Known& known) {
  HF_TRY(const auto store, site.open());
  HF_CHECK(confirm(site.name, *store));
  if (!p_.keys || known.sent_digest == digest) return {};
  return send_bundle(*store, content, digest, known);
}

Result<void> LocalRecovery::send_bundle(RemoteStore& store, const std::string& content, const std::string& digest, Known& known) {
  HF_TRY(const auto there, list_bundles(store, appliance_));
  BundleName name{appliance_, own_.now().claim.generation, 1, digest};
  for (const BundleName& n : there) name.number = std::max(name.number, n.number + 1);
  if (there.empty() || there.back().digest != digest || there.back().generation != name.generation) {
    const BundleHeader header{appliance_, p_.host, name.generation, name.number, p_.clock->wall_ms()};
    const std::string sealed = seal_bundle(*p_.keys, header, content, *p_.random);
    if (sealed.size() > kMaxBundleBytes) return error(Code::kOutOfSpace, "the settings are larger than a bundle may be");
    HF_CHECK(store.put({.key = name.key()}, sealed));
    // A write that was only said to have happened would be found out when the bundle is needed.
    HF_TRY(const std::string back, store.get(name.key(), kMaxBundleBytes));
    if (back != sealed) return error(Code::kCorrupt, "the site gives other bytes of the bundle than it got");
    known.sent_ms = header.written_ms;
  } else {
    name.number = there.back().number;
  }
  known.sent_digest = digest;
  known.number = name.number;
  known.sent_at_ms = p_.clock->monotonic_ms();
  for (size_t i = 0; i + kKeptBundles - 1 < there.size(); ++i) HF_CHECK(store.remove(there[i].key()));
  return {};
}

RecoveryStatus LocalRecovery::status() const {
  const OwnClaim::Standing own = own_.now();
  RecoveryStatus s{appliance_, own.state, own.reason, own.claim.generation, p_.keys.has_value(), {}};
  const std::vector<RecoverySite> sites = p_.sites();
  std::lock_guard lock(mutex_);
  for (const RecoverySite& site : sites) {
    const auto known = known_.find(site.name);
    s.sites.push_back(known == known_.end() ? SiteRecovery{site.name, "", 0, 0} : SiteRecovery{site.name, known->second.problem, known->second.sent_ms, known->second.number});
  }
  return s;
}

std::vector<std::string> LocalRecovery::alarms() const {
  const RecoveryStatus s = status();
  std::vector<std::string> out;
  if (s.state != ApplianceState::kActive) out.push_back("this appliance does not act (" + std::string(name_of(s.state)) + "): no schedule runs, no cluster is served, nothing is copied: " + s.reason);
  if (!s.can_be_sealed && !s.sites.empty()) out.push_back("the first pool is not encrypted: its settings cannot be sealed, so no site could bring this appliance back");
  if (s.state != ApplianceState::kActive) return out;
  for (const SiteRecovery& site : s.sites) {
    if (!site.problem.empty()) out.push_back("site \"" + site.site + "\": the settings of this appliance cannot be brought there: " + site.problem);
  }
  return out;
}

Result<BundleReport> LocalRecovery::check_bundle(const std::string& name, const std::string& recovery_key) {
  HF_TRY(const SecretKey key, parse_recovery_key(recovery_key));
  const std::vector<RecoverySite> sites = p_.sites();
  const auto site = std::find_if(sites.begin(), sites.end(), [&](const RecoverySite& s) { return s.name == name; });
  if (site == sites.end()) return error(Code::kNotFound, "there is no site \"" + name + "\"");
  HF_TRY(const auto store, site->open());
  HF_TRY(const auto there, list_bundles(*store, appliance_));
  if (there.empty()) return error(Code::kNotFound, "site \"" + name + "\" has no bundle of this appliance" + (p_.keys ? " yet" : ": its first pool is not encrypted"));
  HF_TRY(const OpenedBundle opened, fetch_bundle(*store, there.back(), key));
  BundleReport report = report_of(opened);
  report.lacks = differences(opened.content, content_of(*p_.settings, *p_.users, *p_.buckets));
  return report;
}

// Every site where a claim will hold others off, and the highest generation that was claimed anywhere.
Result<std::vector<LocalRecovery::Reached>> LocalRecovery::reach_all(const std::vector<std::string>& unfenced, uint64_t& highest) const {
  std::vector<Reached> reached;
  std::string refused;
  for (const RecoverySite& site : p_.sites()) {
    const bool accepted = std::find(unfenced.begin(), unfenced.end(), site.name) != unfenced.end();
    std::string problem;
    auto store = site.open();
    auto standing = store ? read_claim(**store, appliance_) : Result<std::optional<StandingClaim>>(std::unexpected(store.error()));
    if (!standing) problem = "it cannot be claimed (" + standing.error().message() + "): another appliance of this identity goes on there until it can";
    else if (!p_.takes_conditional_writes(**store)) problem = "it has no conditional writes: fencing there is advisory, two appliances that look at the same moment both go on";
    if (!problem.empty() && !accepted) refused += (refused.empty() ? "" : "; ") + ("site \"" + site.name + "\": " + problem);
    if (!standing) continue;
    if (*standing) highest = std::max(highest, (*standing)->claim.generation);
    reached.push_back({site.name, std::move(*store)});
  }
  if (!refused.empty()) return error(Code::kFailedPrecondition, refused);
  return reached;
}

Result<void> LocalRecovery::activate(const std::vector<std::string>& unfenced) {
  std::lock_guard activation(activation_mutex_);
  const OwnClaim::Standing own = own_.now();
  if (own.state == ApplianceState::kActive) return error(Code::kFailedPrecondition, "this appliance is active: there is nothing to activate");
  uint64_t highest = own.claim.generation;
  HF_TRY(const auto reached, reach_all(unfenced, highest));
  Claim ours{appliance_, highest + 1, new_holder(*p_.random), p_.host, p_.clock->wall_ms()};
  for (const Reached& site : reached) {
    HF_TRY(const Claim standing, put_claim(*site.store, ours));
    if (!standing.same_holder(ours)) return error(Code::kFailedPrecondition, "generation " + std::to_string(standing.generation) + " on host " + standing.host + " has just been activated, as site \"" + site.name + "\" says");
  }
  HF_CHECK(own_.activate(ours));
  spdlog::warn("this appliance acts from now on, as generation {}", ours.generation);
  std::lock_guard lock(mutex_);
  known_.clear();
  if (worker_) worker_->wake();
  return {};
}

}  // namespace holdfast
