#include "daemon/admin/policy_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const PolicyRun& r) {
  return {{"id", r.id}, {"trigger", r.trigger}, {"state", name_of(r.state)}, {"reason", r.reason}, {"due", time_text(r.due_ms)},
          {"not_before", r.state == PolicyRun::State::kWaiting ? time_text(r.not_before_ms) : ""}, {"started", time_text(r.started_ms)},
          {"finished", time_text(r.finished_ms)}, {"attempt", r.attempt}, {"missed", r.missed}, {"backup", r.backup},
          {"items", r.items}, {"warnings", r.warnings}, {"errors", r.errors}};
}

// Of the last run that came to an end: why its restore point is not whole, or not there; empty: it is.
std::string problem_of(const TierStatus& t) {
  const PolicyRun* last = t.last_ended();
  return last == nullptr || last->state == PolicyRun::State::kCompleted ? std::string() : name_of(last->state) + (": " + last->reason);
}

json::object to_json(const TierStatus& t, bool with_runs) {
  json::object o{{"name", t.name}, {"schedule", t.schedule}, {"next", time_text(t.next_ms)}, {"completed", t.totals.completed},
                 {"partially_failed", t.totals.partially_failed}, {"failed", t.totals.failed}, {"skipped", t.totals.skipped},
                 {"last_completed", time_text(t.totals.last_completed_ms)}, {"last_point", time_text(t.totals.last_point_ms)}, {"problem", problem_of(t)},
                 {"rpo_seconds", t.rpo_ms / 1000}, {"rpo_target_seconds", t.rpo_target_ms / 1000}, {"rpo_violated", t.violates_rpo()}};
  json::array runs;
  for (const PolicyRun& r : t.runs) {
    if (with_runs || &r == &t.runs.back()) runs.push_back(to_json(r));
  }
  o["runs"] = std::move(runs);
  return o;
}

json::object to_json(const PolicyStatus& p, bool with_runs) {
  json::object o{{"name", p.name}, {"cluster", p.cluster}, {"paused", p.paused}};
  json::array tiers;
  for (const TierStatus& t : p.tiers) tiers.push_back(to_json(t, with_runs));
  o["tiers"] = std::move(tiers);
  boost::system::error_code ec;
  if (with_runs) o["document"] = json::parse(p.document, ec);
  return o;
}

Result<HttpResponse> preview(const PolicyService& policies, const std::string& name) {
  HF_TRY(const auto verdicts, policies.judge_points(name));
  json::array points;
  for (const RetentionVerdict& v : verdicts) {
    points.push_back(json::object{{"tier", v.tier}, {"backup", v.backup}, {"started", time_text(v.started_ms)}, {"keep", v.keep}, {"why", v.why}});
  }
  return json_response(json::object{{"points", std::move(points)}});
}

constexpr int64_t kDayMs = 86'400'000;
constexpr uint64_t kMostDays = 3660;

Result<HttpResponse> forecast(const PolicyService& policies, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "document", "days"}));
  HF_TRY(const std::string name, text_field(body, "name"));
  HF_TRY(const std::string document, text_field(body, "document"));
  const json::value* days = body.if_contains("days");
  const int64_t count = days == nullptr ? 92 : days->is_int64() ? days->get_int64() : -1;
  if (count < 0 || count > static_cast<int64_t>(kMostDays)) return error(Code::kInvalidArgument, "\"days\" is not a number from 0 to " + std::to_string(kMostDays));
  HF_TRY(const RetentionForecast f, policies.forecast(name, document, count * kDayMs));
  json::array points, months;
  for (const auto& p : f.points) {
    points.push_back(json::object{{"tier", p.tier}, {"backup", p.backup}, {"started", time_text(p.started_ms)}, {"keep", p.keep}, {"why", p.why}, {"until", time_text(p.until_ms)}});
  }
  for (const auto& m : f.months) months.push_back(json::object{{"tier", m.tier}, {"month", m.month}, {"kept", m.kept}, {"oldest", time_text(m.oldest_ms)}});
  return json_response(json::object{{"points", std::move(points)}, {"months", std::move(months)}, {"ends", time_text(f.ends_ms)}});
}

}  // namespace

json::array policies_json(const PolicyService& policies) {
  json::array all;
  for (const PolicyStatus& p : policies.policies()) all.push_back(to_json(p, false));
  return all;
}

Result<HttpResponse> serve_policies(PolicyService& policies, const AdminCall& c) {
  if (c.is("GET", 2)) return json_response(json::object{{"policies", policies_json(policies)}});
  if (c.is("POST", 2)) {
    HF_CHECK(only_keys(c.body, {"document"}));
    HF_TRY(const std::string document, text_field(c.body, "document"));
    HF_TRY(const std::string name, policies.apply_policy(document));
    return json_response(json::object{{"name", name}});
  }
  if (c.is("POST", 3) && c.path[2] == "forecast") return forecast(policies, c.body);
  if (c.is("GET", 3)) {
    HF_TRY(const PolicyStatus p, policies.policy(c.path[2]));
    return json_response(to_json(p, true));
  }
  if (c.is("DELETE", 3)) {
    HF_CHECK(policies.remove_policy(c.path[2]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 4) && c.path[3] == "retention") return preview(policies, c.path[2]);
  if (c.is("POST", 4) && (c.path[3] == "pause" || c.path[3] == "resume")) {
    HF_CHECK(policies.pause_policy(c.path[2], c.path[3] == "pause"));
    return json_response(json::object());
  }
  if (c.is("POST", 4) && c.path[3] == "run") {
    HF_CHECK(only_keys(c.body, {"tier"}));
    HF_TRY(const std::string tier, text_field(c.body, "tier"));
    HF_TRY(const uint64_t id, policies.run_policy(c.path[2], tier));
    return json_response(json::object{{"id", id}}, 202);
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
