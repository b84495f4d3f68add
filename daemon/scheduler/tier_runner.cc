#include "daemon/scheduler/tier_runner.h"

#include <algorithm>
#include <span>

#include "daemon/duration.h"
#include "storage/base/log.h"
#include "storage/base/times.h"

namespace holdfast {

namespace {

constexpr size_t kKeptRuns = 30;
constexpr int64_t kAgainMs = 5'000;           // after what may work soon
constexpr int64_t kLookEveryMs = 30'000;      // at what runs, unless its end is told
constexpr int64_t kLongestWaitMs = 3'600'000;
constexpr int64_t kClockToleranceMs = 600'000;
constexpr uint64_t kMostCounted = 100;        // times that passed, a record

// How many times came after `after_ms`, the one at `last_ms` included.
uint64_t times_between(const k8s::Cron& times, int64_t after_ms, int64_t last_ms) {
  uint64_t count = 0;
  for (auto due = times.next(after_ms); due && *due <= last_ms && count < kMostCounted; due = times.next(*due)) ++count;
  return std::max<uint64_t>(count, 1);
}

}  // namespace

TierRunner::TierRunner(TierSurroundings surroundings, std::shared_ptr<const Policy> policy, const PolicyTier& tier)
    : s_(surroundings), policy_(std::move(policy)), tier_(&tier), facts_(s_.runs->load(policy_->name, tier.name)) {
  if (facts_.schedule.empty()) facts_.handled_ms = s_.clock->wall_ms();
  if (facts_.since_ms == 0) facts_.since_ms = s_.clock->wall_ms();
}

PolicyRun* TierRunner::open_run() {
  const auto found = std::find_if(facts_.runs.begin(), facts_.runs.end(), [](const PolicyRun& r) { return r.open(); });
  return found == facts_.runs.end() ? nullptr : &*found;
}

size_t TierRunner::open_count() const {
  return static_cast<size_t>(std::count_if(facts_.runs.begin(), facts_.runs.end(), [](const PolicyRun& r) { return r.open(); }));
}

Result<void> TierRunner::save(const PolicyRun& run) { return s_.runs->put_run(policy_->name, tier_->name, run, facts_.totals); }

Result<void> TierRunner::save_tier() {
  facts_.schedule = tier_->schedule;
  return s_.runs->put_tier(policy_->name, tier_->name, facts_);
}

PolicyRun& TierRunner::add_run(const char* trigger, State state, int64_t due_ms, int64_t accepted_ms) {
  PolicyRun run;
  run.id = facts_.next_id++;
  run.trigger = trigger;
  run.state = state;
  run.due_ms = due_ms;
  run.accepted_ms = run.not_before_ms = accepted_ms;
  return facts_.runs.emplace_back(std::move(run));
}

// Of a run that could not be written.
void TierRunner::forget_last() {
  facts_.runs.pop_back();
  --facts_.next_id;
}

void TierRunner::replace(std::shared_ptr<const Policy> policy, const PolicyTier& tier) {
  const bool resumed = policy_->paused && !policy->paused;
  const bool other_times = tier.schedule != facts_.schedule;
  policy_ = std::move(policy);
  tier_ = &tier;
  // Times that nobody waited for are not made up for.
  if (!resumed && !other_times) return;
  facts_.handled_ms = std::max(facts_.handled_ms, s_.clock->wall_ms());
  facts_.schedule.clear();  // to be written
}

int64_t TierRunner::advance() {
  const auto all = [this]() -> Result<void> {
    if (facts_.schedule != tier_->schedule) HF_CHECK(save_tier());
    HF_CHECK(correct_clock());
    if (policy_->paused) HF_CHECK(skip_paused());
    else HF_CHECK(take_due());
    HF_CHECK(see_to_open_runs());
    watch_rpo();
    return prune();
  };
  if (const auto done = all(); !done) {
    spdlog::error("policy {}, tier {}: {}; tried again", policy_->name, tier_->name, done.error().message());
    return kAgainMs;
  }
  return wait_ms();
}

// A clock that was ahead, and is put right, must not keep the tier from running until it is there again.
Result<void> TierRunner::correct_clock() {
  const int64_t now_ms = s_.clock->wall_ms();
  if (facts_.handled_ms - now_ms <= kClockToleranceMs) return {};
  spdlog::warn("policy {}, tier {}: the clock was put back by {}; times are counted from now", policy_->name, tier_->name, length_text(facts_.handled_ms - now_ms));
  facts_.handled_ms = now_ms;
  return save_tier();
}

Result<void> TierRunner::skip_paused() {
  facts_.handled_ms = std::max(facts_.handled_ms, s_.clock->wall_ms());
  for (PolicyRun& run : facts_.runs) {
    if (run.state != State::kWaiting || run.trigger == "manual") continue;
    run.reason = "the policy was paused before it began";
    HF_CHECK(finish(run, State::kSkipped));
  }
  return {};
}

Result<void> TierRunner::skip(int64_t due_ms, uint64_t missed, const std::string& why) {
  // One after the other for the same reason are one fact.
  if (!facts_.runs.empty() && facts_.runs.back().state == State::kSkipped && facts_.runs.back().reason == why) {
    PolicyRun& same = facts_.runs.back();
    PolicyRun grown = same;
    grown.due_ms = due_ms;
    grown.finished_ms = s_.clock->wall_ms();
    grown.missed += 1 + missed;
    TierTotals totals = facts_.totals;
    totals.skipped += 1 + missed;
    HF_CHECK(s_.runs->put_run(policy_->name, tier_->name, grown, totals));
    same = std::move(grown);
    facts_.totals = totals;
    facts_.handled_ms = due_ms;
    return {};
  }
  PolicyRun& run = add_run("schedule", State::kSkipped, due_ms, s_.clock->wall_ms());
  run.reason = why;
  run.missed = missed;
  run.finished_ms = s_.clock->wall_ms();
  facts_.totals.skipped += 1 + missed;
  if (auto saved = save(run); !saved) {
    facts_.totals.skipped -= 1 + missed;
    forget_last();
    return saved;
  }
  spdlog::warn("policy {}, tier {}: {} is skipped: {}", policy_->name, tier_->name, rfc3339(due_ms), why);
  tell(EventKind::kRunMissed, nullptr, "the run of " + rfc3339(due_ms) + " is skipped: " + why);
  facts_.handled_ms = due_ms;
  return {};
}

Result<void> TierRunner::take_due() {
  const int64_t now_ms = s_.clock->wall_ms();
  const auto due_ms = tier_->times.last(facts_.handled_ms, now_ms);
  if (!due_ms) return {};
  const uint64_t missed = times_between(tier_->times, facts_.handled_ms, *due_ms) - 1;
  const bool late = now_ms - *due_ms > tier_->start_within_ms;
  if (late && tier_->missed == PolicyTier::Missed::kSkip) return skip(*due_ms, missed, "nothing could run when it was due");
  const PolicyRun* open = open_run();
  if (open != nullptr && tier_->overlap == PolicyTier::Overlap::kSkip) return skip(*due_ms, missed, "run " + std::to_string(open->id) + " had not ended");
  if (open_count() > 1) return skip(*due_ms, missed, "another one waits already");
  const bool makes_up = late || (missed > 0 && tier_->missed == PolicyTier::Missed::kOnce);
  PolicyRun& run = add_run(makes_up ? "catch-up" : "schedule", State::kWaiting, *due_ms, late ? now_ms : *due_ms);
  run.missed = missed;
  if (tier_->jitter_ms > 0) {
    uint64_t number = 0;
    s_.random->fill(std::as_writable_bytes(std::span(&number, 1)));
    run.not_before_ms += static_cast<int64_t>(number % static_cast<uint64_t>(tier_->jitter_ms));
  }
  if (auto saved = save(run); !saved) {
    forget_last();
    return saved;
  }
  if (missed > 0 || late) tell(EventKind::kRunMissed, nullptr, std::to_string(missed + (late ? 1 : 0)) + " runs up to " + rfc3339(*due_ms) + " were missed; one run makes up for them");
  facts_.handled_ms = *due_ms;
  return {};
}

Result<uint64_t> TierRunner::run_now() {
  if (const PolicyRun* open = open_run()) {
    return error(Code::kFailedPrecondition, "run " + std::to_string(open->id) + " of tier \"" + tier_->name + "\" is " + name_of(open->state));
  }
  const int64_t now_ms = s_.clock->wall_ms();
  PolicyRun& run = add_run("manual", State::kWaiting, now_ms, now_ms);
  if (auto saved = save(run); !saved) {
    forget_last();
    return std::unexpected(saved.error());
  }
  return run.id;
}

Result<void> TierRunner::see_to_open_runs() {
  PolicyRun* run = open_run();
  if (run == nullptr) return {};
  const int64_t now_ms = s_.clock->wall_ms();
  if (deadline_of_ != run->id) {
    deadline_of_ = run->id;
    cancelled_ = false;
    start_deadline(std::clamp(run->accepted_ms + tier_->deadline_ms - now_ms, int64_t{0}, tier_->deadline_ms));
  }
  if (run->state == State::kRunning) HF_CHECK(follow(*run));
  if (run->state != State::kWaiting) return {};
  if (deadline_is_over()) {
    run->reason = "its deadline of " + length_text(tier_->deadline_ms) + " is over" + (run->reason.empty() ? "" : "; before: " + run->reason);
    return finish(*run, State::kFailed);
  }
  // A clock that was put back must not make it wait longer than any rule says.
  const int64_t longest_ms = std::max({tier_->jitter_ms, tier_->retries.longest_wait_ms, kAgainMs});
  if (run->not_before_ms > now_ms && run->not_before_ms - now_ms <= longest_ms) return {};
  return begin(*run);
}

Result<void> TierRunner::begin(PolicyRun& run) {
  const int64_t now_ms = s_.clock->wall_ms();
  const PolicyRun before = run;
  run.state = State::kRunning;
  ++run.attempt;
  run.started_ms = now_ms;
  run.backup = backup_stem(policy_->name, tier_->name) + "-" + date_digits(now_ms);
  if (auto saved = save(run); !saved) {
    run = before;
    return saved;
  }
  const auto begun = s_.maker->begin(*policy_, *tier_, run);
  if (begun) {
    spdlog::info("policy {}, tier {}: run {} makes backup {}", policy_->name, tier_->name, run.id, run.backup);
    return {};
  }
  const bool soon = begun.error().retryable() || begun.error().code() == Code::kAlreadyExists;
  if (!soon) return attempt_failed(run, begun.error().message(), false);
  run = before;
  if (run.attempt == 0) run.reason = begun.error().message();  // else it says why the last attempt failed
  run.not_before_ms = now_ms + (begun.error().code() == Code::kAlreadyExists ? 1'000 : kAgainMs);
  return save(run);
}

Result<void> TierRunner::follow(PolicyRun& run) {
  const auto looked = s_.maker->look(*policy_, *tier_, run);
  if (!looked && looked.error().code() == Code::kNotFound) return attempt_failed(run, "the daemon ended before it began", false);
  if (!looked && !looked.error().retryable()) return attempt_failed(run, looked.error().message(), false);
  if (!looked || !looked->ended) {
    if (!deadline_is_over() || cancelled_) return {};
    s_.maker->cancel(policy_->cluster, run.backup);
    cancelled_ = true;
    return {};
  }
  run.items = looked->items;
  run.warnings = looked->warnings;
  run.errors = looked->errors;
  if (looked->phase == "Completed" || looked->phase == "PartiallyFailed") {
    const std::string before = run.attempt > 1 ? "the attempt before: " + run.reason : std::string();
    run.reason = looked->reason + (looked->reason.empty() || before.empty() ? "" : "; ") + before;
    return finish(run, looked->phase == "Completed" ? State::kCompleted : State::kPartiallyFailed);
  }
  if (cancelled_) return attempt_failed(run, "its deadline of " + length_text(tier_->deadline_ms) + " is over", true);
  // What is wrong with what was asked for does not heal.
  return attempt_failed(run, looked->reason.empty() ? looked->phase : looked->reason, looked->phase == "FailedValidation");
}

Result<void> TierRunner::attempt_failed(PolicyRun& run, const std::string& why, bool final) {
  const int64_t now_ms = s_.clock->wall_ms();
  run.reason = why;
  if (final || run.attempt > tier_->retries.times) return finish(run, State::kFailed);
  const PolicyRun before = run;
  run.state = State::kWaiting;
  run.not_before_ms = now_ms + tier_->retries.wait_ms(run.attempt);
  if (auto saved = save(run); !saved) {
    run = before;
    return saved;
  }
  spdlog::warn("policy {}, tier {}: attempt {} of run {} failed: {}; the next follows in {}", policy_->name, tier_->name, run.attempt, run.id, why, length_text(run.not_before_ms - now_ms));
  return {};
}

Result<void> TierRunner::finish(PolicyRun& run, State state) {
  const PolicyRun before = run;
  const TierTotals totals = facts_.totals;
  run.state = state;
  run.finished_ms = s_.clock->wall_ms();
  TierTotals& t = facts_.totals;
  if (state == State::kSkipped) t.skipped += 1 + run.missed;
  if (state == State::kFailed) ++t.failed;
  if (state == State::kPartiallyFailed) ++t.partially_failed;
  if (state == State::kCompleted) {
    ++t.completed;
    t.last_completed_ms = std::max(t.last_completed_ms, run.finished_ms);
    t.last_point_ms = std::max(t.last_point_ms, run.started_ms);
  }
  if (auto saved = save(run); !saved) {
    run = before;
    facts_.totals = totals;
    return saved;
  }
  if (state == State::kCompleted) spdlog::info("policy {}, tier {}: run {} completed", policy_->name, tier_->name, run.id);
  else spdlog::warn("policy {}, tier {}: run {} is {}: {}", policy_->name, tier_->name, run.id, name_of(state), run.reason);
  tell_end(run);
  watch_rpo();
  return {};
}

void TierRunner::tell(EventKind kind, const PolicyRun* run, std::string text) const {
  if (s_.tell) s_.tell({kind, policy_->cluster, policy_->name, tier_->name, run == nullptr ? "" : run->backup, "", std::move(text), s_.clock->wall_ms()});
}

void TierRunner::tell_end(const PolicyRun& run) const {
  const std::string why = run.reason.empty() ? "" : ": " + run.reason;
  switch (run.state) {
    case State::kCompleted: return tell(EventKind::kBackupCompleted, &run, "backup " + run.backup + " completed with " + std::to_string(run.items) + " items");
    case State::kPartiallyFailed: return tell(EventKind::kBackupPartiallyFailed, &run, "backup " + run.backup + " lacks something" + why);
    case State::kFailed: return tell(EventKind::kBackupFailed, &run, "run " + std::to_string(run.id) + " failed" + why);
    case State::kWaiting:
    case State::kRunning:
    case State::kSkipped: return;  // somebody paused the policy
  }
}

int64_t TierRunner::rpo_ms() const {
  const int64_t from_ms = facts_.totals.last_point_ms != 0 ? facts_.totals.last_point_ms : facts_.since_ms;
  return std::max<int64_t>(s_.clock->wall_ms() - from_ms, 0);
}

// Told once, until there is a restore point again that is young enough.
void TierRunner::watch_rpo() {
  const bool violated = tier_->rpo_ms > 0 && rpo_ms() > tier_->rpo_ms;
  if (violated && !rpo_told_) {
    const std::string what = facts_.totals.last_point_ms == 0 ? "there has been no good restore point for " : "the newest good restore point is older than ";
    spdlog::warn("policy {}, tier {}: {}{}", policy_->name, tier_->name, what, length_text(tier_->rpo_ms));
    tell(EventKind::kRpoViolated, nullptr, what + length_text(tier_->rpo_ms) + ", the target");
  }
  rpo_told_ = violated;
}

Result<void> TierRunner::prune() {
  while (facts_.runs.size() > kKeptRuns && !facts_.runs.front().open()) {
    HF_CHECK(s_.runs->remove_run(policy_->name, tier_->name, facts_.runs.front().id));
    facts_.runs.pop_front();
  }
  return {};
}

int64_t TierRunner::wait_ms() const {
  const int64_t now_ms = s_.clock->wall_ms();
  int64_t wait = kLongestWaitMs;
  if (!policy_->paused) {
    if (const auto next = tier_->times.next(facts_.handled_ms)) wait = std::min(wait, *next - now_ms);
  }
  if (const PolicyRun* run = open_run()) {
    const int64_t own = run->state == State::kRunning ? kLookEveryMs : run->not_before_ms - now_ms;
    const int64_t deadline = cancelled_ || deadline_of_ != run->id ? kLookEveryMs : deadline_at_ms_ - s_.clock->monotonic_ms();
    wait = std::min({wait, own, std::max<int64_t>(deadline, 0)});
  }
  if (tier_->rpo_ms > 0 && !rpo_told_) wait = std::min(wait, tier_->rpo_ms - rpo_ms() + 1);
  return std::max<int64_t>(wait, 0);
}

TierStatus TierRunner::status() const {
  TierStatus status{tier_->name, tier_->schedule, tier_->time_zone, 0, facts_.totals, rpo_ms(), tier_->rpo_ms, {facts_.runs.begin(), facts_.runs.end()}};
  if (!policy_->paused) status.next_ms = tier_->times.next(facts_.handled_ms).value_or(0);
  return status;
}

Result<void> TierRunner::remove() { return s_.runs->remove_tier(policy_->name, tier_->name); }

}  // namespace holdfast
