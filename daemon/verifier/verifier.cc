#include "daemon/verifier/verifier.h"

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>

#include "daemon/duration.h"
#include "daemon/verification_fields.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr size_t kKeptRuns = 100;
constexpr size_t kNamedProblems = 100;
constexpr int64_t kLookEveryMs = 60'000;
constexpr int64_t kCleanEveryMs = 600'000;
constexpr std::chrono::milliseconds kLookAtCopyEvery{200};

using Level = VerificationRule::Level;

// False: it was stopped.
bool wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  return !changed.wait_for(lock, stop, time, [&stop] { return stop.stop_requested(); });
}

void add_problem(VerificationRun& run, std::string text) {
  if (++run.problems <= kNamedProblems) run.problem.push_back(std::move(text));
}

k8s::Evidence evidence_of(const VerificationRun& run, const Clock& clock) {
  k8s::Evidence e;
  e.good = run.problems == 0;
  e.finished_ms = clock.wall_ms();
  e.took_ms = e.finished_ms - run.started_ms;
  e.ready_ms = run.ready_ms;
  e.items = run.items;
  e.problems = run.problem;
  return e;
}

// The newest one that is good, by the policy's tier.
const RunStatus* newest_of(const std::vector<RunStatus>& points, const VerificationOrder& order) {
  const RunStatus* newest = nullptr;
  for (const RunStatus& p : points) {
    if (p.policy != order.policy || p.tier != order.tier || p.phase != "Completed") continue;
    if (newest == nullptr || std::pair(p.started, p.name) > std::pair(newest->started, newest->name)) newest = &p;
  }
  return newest;
}

}  // namespace

Verifier::Verifier(VerifierParts parts) : p_(std::move(parts)), facts_(*p_.settings) {}

void Verifier::start() {
  std::lock_guard lock(mutex_);
  worker_ = std::make_unique<Worker>("verifier", [this](std::stop_token stop) { return std::chrono::milliseconds(pass(stop)); });
}

void Verifier::stop() {
  std::unique_ptr<Worker> worker;
  std::lock_guard lock(mutex_);
  worker = std::move(worker_);
}

void Verifier::wake() {
  std::lock_guard lock(mutex_);
  if (worker_) worker_->wake();
}

void Verifier::clean_up() {
  if (p_.clock->monotonic_ms() < clean_at_ms_) return;
  clean_at_ms_ = p_.trials->clean_up() ? INT64_MAX : p_.clock->monotonic_ms() + kCleanEveryMs;
}

int64_t Verifier::pass(const std::stop_token& stop) {
  clean_up();
  int64_t wait_ms = line_up_due();
  while (!stop.stop_requested()) {
    const EntryPtr entry = next_waiting();
    if (!entry) break;
    carry_out(*entry, stop);
    wait_ms = line_up_due();
  }
  return wait_ms;
}

int64_t Verifier::line_up_due() {
  const std::vector<VerificationOrder> orders = p_.orders();
  facts_.forget_others(orders);
  if (!p_.is_active()) return kLookEveryMs;
  int64_t wait_ms = kLookEveryMs;
  for (const VerificationOrder& order : orders) {
    OrderFacts facts = facts_.load(order.policy, order.tier);
    const int64_t now_ms = p_.clock->wall_ms();
    const bool known = facts.since_ms != 0;
    // A clock that was put back does not make times come twice.
    const auto due = known && facts.handled_ms < now_ms ? order.times.last(facts.handled_ms, now_ms) : std::nullopt;
    if (!known) facts.since_ms = facts.handled_ms = now_ms;
    if (due) facts.handled_ms = *due;
    if (!known || due) {
      // What cannot be noted is not begun: it would be begun again and again.
      if (auto noted = facts_.put(order.policy, order.tier, facts); !noted) {
        spdlog::error("policy {}, tier {}: its verification cannot be noted: {}", order.policy, order.tier, noted.error().message());
        continue;
      }
    }
    if (due) line_up(order, facts);
    watch(order, facts);
    if (const auto next = order.times.next(facts.handled_ms)) wait_ms = std::min(wait_ms, std::max<int64_t>(*next - now_ms, 0));
  }
  return wait_ms;
}

void Verifier::line_up(const VerificationOrder& order, OrderFacts& facts) {
  VerificationRun run;
  run.cluster = order.cluster;
  run.policy = order.policy;
  run.tier = order.tier;
  run.level = name_of(order.rule.level);
  const auto points = p_.clusters->backups(order.cluster);
  const RunStatus* newest = points ? newest_of(*points, order) : nullptr;
  if (newest == nullptr) {
    run.state = "undecided";
    run.reason = points ? "there is no good restore point yet" : points.error().message();
    run.finished_ms = p_.clock->wall_ms();
    note_end(run);
    facts = facts_.load(order.policy, order.tier);
    return;
  }
  run.backup = newest->name;
  if (const auto added = add(std::move(run), order.rule); !added && added.error().code() != Code::kAlreadyExists) {
    spdlog::error("policy {}, tier {}: {}", order.policy, order.tier, added.error().message());
  }
}

bool Verifier::is_overdue(const VerificationOrder& order, const OrderFacts& facts) const {
  return order.within_ms > 0 && p_.clock->wall_ms() - std::max(facts.good_ms, facts.since_ms) > order.within_ms;
}

// Told once, until there is a success again.
void Verifier::watch(const VerificationOrder& order, const OrderFacts& facts) {
  const std::pair key(order.policy, order.tier);
  if (!is_overdue(order, facts)) {
    told_overdue_.erase(key);
    return;
  }
  if (!told_overdue_.insert(key).second) return;
  const std::string text = "no verification at level " + std::string(name_of(order.rule.level)) + " has succeeded within " + length_text(order.within_ms);
  spdlog::warn("policy {}, tier {}: {}", order.policy, order.tier, text);
  if (p_.tell) p_.tell({EventKind::kVerificationFailed, order.cluster, order.policy, order.tier, "", "", text, p_.clock->wall_ms()});
}

Result<uint64_t> Verifier::add(VerificationRun run, VerificationRule rule) {
  std::lock_guard lock(mutex_);
  for (const EntryPtr& e : entries_) {
    if (e->run.open() && e->run.cluster == run.cluster && e->run.backup == run.backup) {
      return error(Code::kAlreadyExists, "backup \"" + run.backup + "\" of cluster \"" + run.cluster + "\" is being verified, or stands in line for it");
    }
  }
  const auto ended = std::find_if(entries_.begin(), entries_.end(), [](const EntryPtr& e) { return !e->run.open(); });
  if (entries_.size() >= kKeptRuns) {
    if (ended == entries_.end()) return error(Code::kFailedPrecondition, std::to_string(kKeptRuns) + " verifications stand in line already");
    entries_.erase(ended);
  }
  auto entry = std::make_shared<Entry>();
  run.id = next_id_++;
  entry->run = std::move(run);
  entry->rule = std::move(rule);
  entries_.push_back(entry);
  if (worker_) worker_->wake();
  return entry->run.id;
}

Result<uint64_t> Verifier::start_verification(const std::string& cluster, const std::string& backup, const std::string& document) {
  HF_TRY(const RunStatus point, p_.clusters->backup(cluster, backup));
  if (point.phase != "Completed" && point.phase != "PartiallyFailed") {
    return error(Code::kFailedPrecondition, "backup \"" + backup + "\" of cluster \"" + cluster + "\" is no restore point: it is " + point.phase);
  }
  VerificationRule rule;
  for (const VerificationOrder& order : p_.orders()) {
    if (order.policy == point.policy && order.tier == point.tier) rule = order.rule;
  }
  boost::system::error_code ec;
  const json::value fields = json::parse(document.empty() ? "{}" : document, ec);
  if (ec) return error(Code::kInvalidArgument, "the settings of the verification are no JSON");
  try {
    const PolicyFields f(fields, "");
    f.only(verification_keys());
    rule = verification_rule(f, std::move(rule));
  } catch (const BadField& bad) {
    return error(Code::kInvalidArgument, (bad.path.empty() ? "" : bad.path + ": ") + bad.why);
  }
  VerificationRun run;
  run.cluster = cluster;
  run.backup = backup;
  run.level = name_of(rule.level);
  return add(std::move(run), std::move(rule));
}

Verifier::EntryPtr Verifier::next_waiting() {
  std::lock_guard lock(mutex_);
  for (const EntryPtr& e : entries_) {
    if (e->run.state != "waiting") continue;
    e->run.state = "running";
    e->run.started_ms = p_.clock->wall_ms();
    return e;
  }
  return nullptr;
}

void Verifier::carry_out(Entry& entry, const std::stop_token& stop) {
  VerificationRun run;
  {
    std::lock_guard lock(mutex_);
    run = entry.run;
  }
  spdlog::info("cluster {}: restore point {} is verified, level {}", run.cluster, run.backup, run.level);
  k8s::PointEvidence found;
  auto done = read(entry.rule, run, stop);
  if (done) found.read = evidence_of(run, *p_.clock);
  const bool restores = entry.rule.level == Level::kRestore && done && run.problems == 0;
  if (restores) {
    done = restore(entry, run, stop);
    if (done) found.restore = evidence_of(run, *p_.clock);
    if (found.restore) found.restore->cluster = entry.rule.into.empty() ? run.cluster : entry.rule.into;
  }
  run.finished_ms = p_.clock->wall_ms();
  if (auto noted = note_evidence(run, found); done && !noted) done = noted;
  if (done) {
    run.state = run.problems > 0 ? "failed" : restores ? "verified" : "whole";
  } else {
    run.state = "undecided";
    run.reason = done.error().message();
  }
  note_end(run);
  std::lock_guard lock(mutex_);
  entry.run = run;
}

Result<void> Verifier::read(const VerificationRule& rule, VerificationRun& run, const std::stop_token& stop) {
  HF_TRY(const k8s::PointCheck check, p_.trials->read_point(run.cluster, run.backup, stop));
  run.items = check.items;
  run.problems = check.problems;
  run.problem = check.damage;
  if (rule.level == Level::kRead && rule.copies) return read_copies(run, stop);
  return {};
}

Result<void> Verifier::read_copies(VerificationRun& run, const std::stop_token& stop) {
  HF_TRY(const RunStatus point, p_.clusters->backup(run.cluster, run.backup));
  std::set<std::string> sites;
  for (const OrderStatus& o : p_.sites->orders()) {
    if (!point.policy.empty() && o.policy == point.policy && o.tier == point.tier) sites.insert(o.site);
  }
  for (const std::string& site : sites) HF_CHECK(read_copy(site, run, stop));
  return {};
}

Result<void> Verifier::read_copy(const std::string& site, VerificationRun& run, const std::stop_token& stop) {
  const auto begun = p_.sites->check_copy(site, run.cluster, run.backup, false);
  if (!begun && begun.error().code() == Code::kNotFound) return {};  // it has not got there yet
  if (!begun && begun.error().code() != Code::kAlreadyExists) return error(begun.error().code(), "its copy at site \"" + site + "\" cannot be read: " + begun.error().message());
  for (;;) {
    HF_TRY(const auto transfers, p_.sites->transfers(site));
    const auto found = std::find_if(transfers.begin(), transfers.end(), [&](const CopyStatus& c) { return c.cluster == run.cluster && c.backup == run.backup; });
    if (found == transfers.end()) return error(Code::kUnavailable, "nothing is known any more of the reading of its copy at site \"" + site + "\"");
    if (found->state == "whole") return {};
    if (found->state == "damaged") {
      for (const std::string& d : found->damage) add_problem(run, "its copy at site \"" + site + "\": " + d);
      return {};
    }
    if (!found->open()) return error(Code::kUnavailable, "its copy at site \"" + site + "\" cannot be read: " + found->reason);
    if (!wait_for(kLookAtCopyEvery, stop)) return error(Code::kUnavailable, "it was stopped");
  }
}

Result<void> Verifier::restore(Entry& entry, VerificationRun& run, const std::stop_token& stop) {
  HF_TRY(const k8s::TrialOutcome outcome, p_.trials->try_point(run.cluster, run.backup, entry.rule, entry.progress, stop));
  if (!outcome.not_removed.empty()) {
    std::lock_guard lock(mutex_);
    run.reason = "what was restored for it is not removed yet: " + outcome.not_removed;
    clean_at_ms_ = p_.clock->monotonic_ms() + kCleanEveryMs;
  }
  if (!outcome.tried) return error(Code::kFailedPrecondition, outcome.reason + (run.reason.empty() ? "" : "; " + run.reason));
  run.problems = outcome.problems;
  run.problem = outcome.problem;
  run.items = outcome.restored;
  run.compared = outcome.compared;
  run.dry_run = outcome.dry_run;
  run.awaited = outcome.awaited;
  run.checked = outcome.checked;
  run.ready_ms = outcome.ready_ms;
  return {};
}

Result<void> Verifier::note_evidence(const VerificationRun& run, const k8s::PointEvidence& found) {
  if (!found.read && !found.restore) return {};
  auto known = p_.trials->evidence(run.cluster, run.backup);
  if (!known && known.error().code() != Code::kCorrupt) return std::unexpected(known.error());
  k8s::PointEvidence evidence = known ? *known : k8s::PointEvidence();
  if (found.read) evidence.read = found.read;
  if (found.restore) evidence.restore = found.restore;
  return p_.trials->put_evidence(run.cluster, run.backup, evidence);
}

void Verifier::note_end(const VerificationRun& run) {
  const std::string why = run.problem.empty() ? run.reason : run.problem.front();
  if (run.good()) spdlog::info("cluster {}: restore point {} is {}", run.cluster, run.backup, run.state);
  else spdlog::error("cluster {}: verification of restore point {}: {}: {}", run.cluster, run.backup, run.state, why);
  if (!run.good() && p_.tell) {
    p_.tell({EventKind::kVerificationFailed, run.cluster, run.policy, run.tier, run.backup, "", "verification at level " + run.level + (run.state == "failed" ? " failed: " : " could not be carried out: ") + why, run.finished_ms});
  }
  if (run.policy.empty()) return;
  OrderFacts facts = facts_.load(run.policy, run.tier);
  facts.last_ms = run.finished_ms;
  facts.last_state = run.state;
  facts.last_backup = run.backup;
  facts.last_reason = run.good() ? run.reason : why;
  if (run.good()) {
    facts.good_ms = run.finished_ms;
    if (run.ready_ms > 0) facts.ready_ms = run.ready_ms;
  }
  if (auto noted = facts_.put(run.policy, run.tier, facts); !noted) spdlog::error("policy {}, tier {}: the end of its verification cannot be noted: {}", run.policy, run.tier, noted.error().message());
  if (p_.on_news) p_.on_news(run.policy);
}

VerificationRun Verifier::shown(const Entry& entry) const {
  VerificationRun run = entry.run;
  if (run.state == "running") run.step = entry.progress.step.load();
  return run;
}

std::vector<VerificationRun> Verifier::verifications() const {
  std::lock_guard lock(mutex_);
  std::vector<VerificationRun> out;
  for (const EntryPtr& e : entries_) out.push_back(shown(*e));
  return out;
}

Result<VerificationRun> Verifier::verification(uint64_t id) const {
  std::lock_guard lock(mutex_);
  for (const EntryPtr& e : entries_) {
    if (e->run.id == id) return shown(*e);
  }
  return error(Code::kNotFound, "there is no verification " + std::to_string(id) + "; the evidence that it left is with its restore point");
}

std::vector<VerificationStatus> Verifier::verification_orders() const {
  std::vector<VerificationStatus> out;
  for (const VerificationOrder& order : p_.orders()) {
    const OrderFacts facts = facts_.load(order.policy, order.tier);
    VerificationStatus s{order.cluster, order.policy, order.tier, name_of(order.rule.level), order.schedule, 0, facts.last_ms, facts.last_state, facts.last_backup, facts.last_reason,
                         facts.good_ms, facts.ready_ms, order.within_ms, facts.since_ms != 0 && is_overdue(order, facts)};
    s.next_ms = order.times.next(facts.handled_ms == 0 ? p_.clock->wall_ms() : facts.handled_ms).value_or(0);
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace holdfast
