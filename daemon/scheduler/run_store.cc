#include "daemon/scheduler/run_store.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr std::array<const char*, 6> kStates{"waiting", "running", "completed", "partially-failed", "failed", "skipped"};

std::string tier_key(const std::string& policy, const std::string& tier) { return "policy-tier/" + policy + "/" + tier; }
std::string run_prefix(const std::string& policy, const std::string& tier) { return "policy-run/" + policy + "/" + tier + "/"; }

// In the order of their ids.
std::string run_key(const std::string& policy, const std::string& tier, uint64_t id) {
  const std::string digits = std::to_string(id);
  return run_prefix(policy, tier) + std::string(12 - std::min<size_t>(digits.size(), 12), '0') + digits;
}

int64_t whole(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}
uint64_t count(const json::object& o, std::string_view key) { return static_cast<uint64_t>(std::max<int64_t>(whole(o, key), 0)); }
std::string text(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

json::object parsed(const Result<std::string>& stored) {
  if (!stored) return {};
  boost::system::error_code ec;
  json::value v = json::parse(*stored, ec);
  return ec || !v.is_object() ? json::object() : std::move(v.get_object());
}

json::object encode(const PolicyRun& r) {
  return {{"id", r.id}, {"trigger", r.trigger}, {"state", name_of(r.state)}, {"reason", r.reason}, {"due_ms", r.due_ms}, {"accepted_ms", r.accepted_ms}, {"not_before_ms", r.not_before_ms},
          {"started_ms", r.started_ms}, {"finished_ms", r.finished_ms}, {"attempt", r.attempt}, {"missed", r.missed}, {"backup", r.backup},
          {"items", r.items}, {"warnings", r.warnings}, {"errors", r.errors}};
}

PolicyRun decode(const json::object& o) {
  PolicyRun r;
  r.id = count(o, "id");
  r.trigger = text(o, "trigger");
  const std::string state = text(o, "state");
  const auto* known = std::find(kStates.begin(), kStates.end(), state);
  r.state = known == kStates.end() ? PolicyRun::State::kFailed : static_cast<PolicyRun::State>(known - kStates.begin());
  r.reason = text(o, "reason");
  for (auto [member, key] : {std::pair{&r.due_ms, "due_ms"}, {&r.accepted_ms, "accepted_ms"}, {&r.not_before_ms, "not_before_ms"}, {&r.started_ms, "started_ms"}, {&r.finished_ms, "finished_ms"}}) {
    *member = whole(o, key);
  }
  r.attempt = static_cast<unsigned>(count(o, "attempt"));
  r.backup = text(o, "backup");
  for (auto [member, key] : {std::pair{&r.missed, "missed"}, {&r.items, "items"}, {&r.warnings, "warnings"}, {&r.errors, "errors"}}) *member = count(o, key);
  return r;
}

void put_totals(json::object& o, const TierTotals& t) {
  o["totals"] = json::array{t.completed, t.partially_failed, t.failed, t.skipped, t.last_completed_ms, t.last_point_ms};
}

// Each only grows: of several records the largest figures are the latest.
void take_totals(const json::object& o, TierTotals& t) {
  const json::value* given = o.if_contains("totals");
  if (given == nullptr || !given->is_array()) return;
  std::array<int64_t, 6> figures{};
  for (size_t i = 0; i < figures.size() && i < given->get_array().size(); ++i) {
    if (given->get_array()[i].is_int64()) figures[i] = given->get_array()[i].get_int64();
  }
  const auto grow = [](auto& into, int64_t figure) { into = std::max(into, static_cast<std::remove_reference_t<decltype(into)>>(figure)); };
  grow(t.completed, figures[0]);
  grow(t.partially_failed, figures[1]);
  grow(t.failed, figures[2]);
  grow(t.skipped, figures[3]);
  grow(t.last_completed_ms, figures[4]);
  grow(t.last_point_ms, figures[5]);
}

}  // namespace

const char* name_of(PolicyRun::State state) { return kStates[static_cast<size_t>(state)]; }

const PolicyRun* TierStatus::last_ended() const {
  const auto found = std::find_if(runs.rbegin(), runs.rend(), [](const PolicyRun& r) { return !r.open() && r.state != PolicyRun::State::kSkipped; });
  return found == runs.rend() ? nullptr : &*found;
}

TierFacts RunStore::load(const std::string& policy, const std::string& tier) const {
  TierFacts facts;
  const json::object stored = parsed(settings_.setting(tier_key(policy, tier)));
  facts.schedule = text(stored, "schedule");
  facts.handled_ms = whole(stored, "handled_ms");
  facts.since_ms = whole(stored, "since_ms");
  facts.next_id = std::max<uint64_t>(count(stored, "next_id"), 1);
  take_totals(stored, facts.totals);
  for (const std::string& key : settings_.setting_names(run_prefix(policy, tier))) {
    const json::object o = parsed(settings_.setting(key));
    PolicyRun run = decode(o);
    if (run.id == 0) continue;
    take_totals(o, facts.totals);
    facts.next_id = std::max(facts.next_id, run.id + 1);
    // Its record is older than those of the runs.
    if (run.trigger != "manual") facts.handled_ms = std::max(facts.handled_ms, run.due_ms);
    facts.runs.push_back(std::move(run));
  }
  return facts;
}

Result<void> RunStore::put_tier(const std::string& policy, const std::string& tier, const TierFacts& facts) {
  json::object o{{"schedule", facts.schedule}, {"handled_ms", facts.handled_ms}, {"since_ms", facts.since_ms}, {"next_id", facts.next_id}};
  put_totals(o, facts.totals);
  return settings_.put_setting(tier_key(policy, tier), json::serialize(o));
}

Result<void> RunStore::put_run(const std::string& policy, const std::string& tier, const PolicyRun& run, const TierTotals& totals) {
  json::object o = encode(run);
  put_totals(o, totals);
  return settings_.put_setting(run_key(policy, tier, run.id), json::serialize(o));
}

Result<void> RunStore::remove_run(const std::string& policy, const std::string& tier, uint64_t id) { return settings_.put_setting(run_key(policy, tier, id), ""); }

Result<void> RunStore::remove_tier(const std::string& policy, const std::string& tier) {
  for (const std::string& key : settings_.setting_names(run_prefix(policy, tier))) HF_CHECK(settings_.put_setting(key, ""));
  return settings_.put_setting(tier_key(policy, tier), "");
}

}  // namespace holdfast
