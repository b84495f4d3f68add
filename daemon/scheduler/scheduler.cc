#include "daemon/scheduler/scheduler.h"

#include <algorithm>
#include <boost/json.hpp>

#include "daemon/scheduler/retention_forecast.h"
#include "storage/base/log.h"

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "policy/";
constexpr std::chrono::milliseconds kLookAtClockEvery{60'000};
constexpr int64_t kLongestStepMs = 3'600'000;
constexpr int64_t kJumpMs = 2'000;
constexpr std::chrono::minutes kRemoveEvery{10};

std::string encode(const Policy& policy) { return json::serialize(json::object{{"paused", policy.paused}, {"document", policy.document}}); }

Result<Policy> decode(const std::string& text) {
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  const json::value* document = o == nullptr ? nullptr : o->if_contains("document");
  const json::value* paused = o == nullptr ? nullptr : o->if_contains("paused");
  if (document == nullptr || !document->is_string() || paused == nullptr || !paused->is_bool()) return error(Code::kCorrupt, Subject::kConfig, "it cannot be read");
  HF_TRY(Policy policy, parse_policy(std::string(document->get_string())));
  policy.paused = paused->get_bool();
  return policy;
}

Status no_such_policy(const std::string& name) { return Status(Code::kNotFound, "there is no policy \"" + name + "\""); }

}  // namespace

Scheduler::Scheduler(SchedulerParts parts)
    : p_(std::move(parts)), runs_(*p_.settings), keeper_(*p_.maker, *p_.clock, p_.may_remove, p_.why_it_stays, [this](const Policy& policy) { return is_in_force(policy); }) {}

void Scheduler::load() {
  std::lock_guard lock(mutex_);
  for (const std::string& key : p_.settings->setting_names(kPrefix)) {
    const auto text = p_.settings->setting(key);
    auto policy = text ? decode(*text) : Result<Policy>(std::unexpected(text.error()));
    if (!policy) {
      spdlog::error("policy {} does not run: {}", key.substr(kPrefix.size()), policy.error().message());
      continue;
    }
    (void)install(std::make_shared<const Policy>(std::move(*policy)));
  }
  offset_ms_ = p_.clock->wall_ms() - p_.clock->monotonic_ms();
}

void Scheduler::start() {
  std::lock_guard lock(mutex_);
  runner_ = std::make_unique<Worker>("scheduler", [this](std::stop_token) { return std::min(std::chrono::milliseconds(step()), kLookAtClockEvery); });
  remover_ = std::make_unique<Worker>("retention", [this](std::stop_token stop) {
    remove_expired(stop);
    return kRemoveEvery;
  });
}

void Scheduler::stop() {
  std::unique_ptr<Worker> runner, remover;
  {
    std::lock_guard lock(mutex_);
    runner = std::move(runner_);
    remover = std::move(remover_);
  }
}

void Scheduler::wake() {
  woken_ = true;
  std::lock_guard lock(mutex_);
  if (runner_) runner_->wake();
  for (const auto& [name, entry] : entries_) {
    if (std::none_of(entry.policy->tiers.begin(), entry.policy->tiers.end(), [](const PolicyTier& t) { return t.lock_ms > 0; })) continue;
    keeper_.look_at(name);  // something may be locked now
    if (remover_) remover_->wake();
  }
}

bool Scheduler::clock_has_jumped() {
  const int64_t offset_ms = p_.clock->wall_ms() - p_.clock->monotonic_ms();
  if (std::abs(offset_ms - offset_ms_) <= kJumpMs) return false;
  offset_ms_ = offset_ms;
  return true;
}

int64_t Scheduler::step() {
  if (p_.is_active && !p_.is_active()) return kLongestStepMs;
  std::lock_guard lock(mutex_);
  const bool jumped = clock_has_jumped(), woken = woken_.exchange(false);
  int64_t wait_ms = kLongestStepMs;
  for (auto& [name, entry] : entries_) {
    bool ended = false;
    for (auto& [tier_name, tier] : entry.tiers) {
      const int64_t now_ms = p_.clock->monotonic_ms();
      if (jumped || tier.next_ms <= now_ms || (woken && tier.runner->is_running())) {
        const bool ran = tier.runner->is_running();
        tier.next_ms = now_ms + tier.runner->advance();
        ended = ended || (ran && !tier.runner->is_running());
      }
      wait_ms = std::min(wait_ms, tier.next_ms - now_ms);
    }
    if (!ended) continue;
    keeper_.look_at(name);
    if (p_.on_new_point) p_.on_new_point();
    if (remover_) remover_->wake();
  }
  return std::max<int64_t>(wait_ms, 0);
}

Result<void> Scheduler::store(const Policy& policy) { return p_.settings->put_setting(kPrefix + policy.name, encode(policy)); }

Result<void> Scheduler::install(std::shared_ptr<const Policy> policy) {
  Entry& entry = entries_[policy->name];
  entry.policy = policy;
  for (const PolicyTier& tier : policy->tiers) {
    Tier& running = entry.tiers[tier.name];
    if (running.runner) running.runner->replace(policy, tier);
    else running.runner = std::make_unique<TierRunner>(surroundings(), policy, tier);
    running.next_ms = 0;
  }
  for (auto at = entry.tiers.begin(); at != entry.tiers.end();) {
    if (policy->tier(at->first) != nullptr) {
      ++at;
      continue;
    }
    HF_CHECK(at->second.runner->remove());
    at = entry.tiers.erase(at);
  }
  if (runner_) runner_->wake();
  if (remover_) remover_->wake();
  if (p_.on_policies) p_.on_policies();
  return {};
}

Result<Scheduler::Entry*> Scheduler::find(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return error(no_such_policy(name));
  return &found->second;
}

Result<std::string> Scheduler::apply_policy(const std::string& text) {
  HF_TRY(Policy policy, parse_policy(text));
  std::string name = policy.name;
  std::lock_guard lock(mutex_);
  if (const auto there = entries_.find(name); there == entries_.end()) {
    // What an earlier policy of that name left is not its history.
    for (const PolicyTier& tier : policy.tiers) HF_CHECK(runs_.remove_tier(name, tier.name));
  } else if (!policy.says_paused) {
    policy.paused = there->second.policy->paused;
  }
  HF_CHECK(store(policy));
  HF_CHECK(install(std::make_shared<const Policy>(std::move(policy))));
  return name;
}

PolicyStatus Scheduler::status_of(const Entry& entry) {
  PolicyStatus status{entry.policy->name, entry.policy->cluster, entry.policy->paused, entry.policy->document, {}};
  for (const PolicyTier& tier : entry.policy->tiers) status.tiers.push_back(entry.tiers.at(tier.name).runner->status());
  return status;
}

std::vector<PolicyStatus> Scheduler::policies() const {
  std::lock_guard lock(mutex_);
  std::vector<PolicyStatus> out;
  for (const auto& [name, entry] : entries_) out.push_back(status_of(entry));
  return out;
}

Result<PolicyStatus> Scheduler::policy(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return error(no_such_policy(name));
  return status_of(found->second);
}

Result<void> Scheduler::pause_policy(const std::string& name, bool paused) {
  std::lock_guard lock(mutex_);
  HF_TRY(const Entry* entry, find(name));
  if (entry->policy->paused == paused) return {};
  Policy changed = *entry->policy;
  changed.paused = paused;
  HF_CHECK(store(changed));
  return install(std::make_shared<const Policy>(std::move(changed)));
}

Result<uint64_t> Scheduler::run_policy(const std::string& name, const std::string& tier) {
  if (p_.check_standing) HF_CHECK(p_.check_standing());
  std::lock_guard lock(mutex_);
  HF_TRY(Entry* entry, find(name));
  if (tier.empty() && entry->tiers.size() > 1) return error(Code::kInvalidArgument, "policy \"" + name + "\" has several tiers; name one of them");
  const auto found = tier.empty() ? entry->tiers.begin() : entry->tiers.find(tier);
  if (found == entry->tiers.end()) return error(Code::kNotFound, "policy \"" + name + "\" has no tier \"" + tier + "\"");
  HF_TRY(const uint64_t id, found->second.runner->run_now());
  found->second.next_ms = 0;
  if (runner_) runner_->wake();
  return id;
}

Result<void> Scheduler::remove_policy(const std::string& name) {
  std::lock_guard lock(mutex_);
  HF_TRY(Entry* entry, find(name));
  HF_CHECK(p_.settings->put_setting(kPrefix + name, ""));
  // What cannot be removed now is only in nobody's way.
  for (auto& [tier_name, tier] : entry->tiers) (void)tier.runner->remove();
  entries_.erase(name);
  return {};
}

void Scheduler::look_at_points(const std::string& policy) {
  keeper_.look_at(policy);
  std::lock_guard lock(mutex_);
  if (remover_) remover_->wake();
}

std::vector<CopyOrder> Scheduler::copy_orders() const {
  std::vector<CopyOrder> orders;
  for (const auto& policy : all()) {
    if (policy->paused) continue;
    for (const PolicyTier& tier : policy->tiers) {
      for (const TierCopy& copy : tier.copies) orders.push_back({policy->cluster, policy->name, tier.name, tier.time_zone, copy});
    }
  }
  return orders;
}

std::vector<VerificationOrder> Scheduler::verification_orders() const {
  std::vector<VerificationOrder> orders;
  for (const auto& policy : all()) {
    if (policy->paused) continue;
    for (const PolicyTier& tier : policy->tiers) {
      if (const auto& v = tier.verification) orders.push_back({policy->cluster, policy->name, tier.name, v->schedule, v->times, v->within_ms, v->rule});
    }
  }
  return orders;
}

std::vector<std::shared_ptr<const Policy>> Scheduler::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Policy>> out;
  for (const auto& [name, entry] : entries_) out.push_back(entry.policy);
  return out;
}

bool Scheduler::is_in_force(const Policy& policy) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(policy.name);
  return found != entries_.end() && found->second.policy.get() == &policy;
}

Result<std::shared_ptr<const Policy>> Scheduler::in_force(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return error(no_such_policy(name));
  return found->second.policy;
}

Result<std::vector<RetentionVerdict>> Scheduler::judge_points(const std::string& name) const {
  HF_TRY(const auto policy, in_force(name));
  HF_TRY(const auto points, p_.maker->points(policy->cluster));
  return judge_all(*policy, points, p_.clock->wall_ms(), p_.why_it_stays).points;
}

Result<RetentionForecast> Scheduler::forecast(const std::string& name, const std::string& document, int64_t length_ms) const {
  std::shared_ptr<const Policy> policy;
  if (document.empty()) {
    HF_TRY(policy, in_force(name));
  } else {
    HF_TRY(Policy parsed, parse_policy(document));
    policy = std::make_shared<const Policy>(std::move(parsed));
  }
  HF_TRY(const auto points, p_.maker->points(policy->cluster));
  const int64_t now_ms = p_.clock->wall_ms();
  return forecast_policy(*policy, points, now_ms, now_ms + length_ms, p_.why_it_stays);
}

void Scheduler::remove_expired(const std::stop_token& stop) { keeper_.pass(all(), stop); }

}  // namespace holdfast
