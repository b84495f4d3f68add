#include "daemon/admin/verification_api.h"

#include <boost/json.hpp>
#include <charconv>

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const VerificationRun& r) {
  return {{"id", r.id}, {"cluster", r.cluster}, {"backup", r.backup}, {"level", r.level}, {"policy", r.policy}, {"tier", r.tier}, {"state", r.state}, {"step", r.step},
          {"reason", r.reason}, {"problems", r.problems}, {"problem", texts(r.problem)}, {"items", r.items}, {"compared", r.compared}, {"dry_run", r.dry_run},
          {"awaited", r.awaited}, {"checked", r.checked}, {"started", time_text(r.started_ms)}, {"finished", time_text(r.finished_ms)}, {"ready_seconds", static_cast<double>(r.ready_ms) / 1000}};
}

json::object to_json(const VerificationStatus& s) {
  return {{"cluster", s.cluster}, {"policy", s.policy}, {"tier", s.tier}, {"level", s.level}, {"schedule", s.schedule}, {"next", time_text(s.next_ms)}, {"last", time_text(s.last_ms)},
          {"last_state", s.last_state}, {"last_backup", s.last_backup}, {"last_reason", s.last_reason}, {"last_success", time_text(s.good_ms)}, {"within_seconds", s.within_ms / 1000},
          {"overdue", s.overdue}, {"rto_seconds", static_cast<double>(s.ready_ms) / 1000}};
}

json::value to_json(const std::optional<k8s::Evidence>& e) {
  if (!e) return nullptr;
  return json::object{{"good", e->good}, {"finished", time_text(e->finished_ms)}, {"took_seconds", static_cast<double>(e->took_ms) / 1000},
                      {"ready_seconds", static_cast<double>(e->ready_ms) / 1000}, {"cluster", e->cluster}, {"items", e->items}, {"problems", texts(e->problems)}};
}

}  // namespace

json::array verification_orders_json(const VerificationService& verifications) { return list_json(verifications.verification_orders(), to_json); }

Result<HttpResponse> serve_verifications(const VerificationService& verifications, const AdminCall& c) {
  if (c.is("GET", 2)) {
    return json_response(json::object{{"orders", verification_orders_json(verifications)}, {"runs", list_json(verifications.verifications(), to_json)}});
  }
  if (c.is("GET", 3)) {
    uint64_t id = 0;
    const std::string& text = c.path[2];
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (ec != std::errc() || end != text.data() + text.size()) return error(Code::kInvalidArgument, "\"" + text + "\" is no number of a verification");
    HF_TRY(const VerificationRun run, verifications.verification(id));
    return json_response(to_json(run));
  }
  return error(Code::kNotFound, "no such resource");
}

Result<HttpResponse> serve_point_verification(VerificationService& verifications, const AdminCall& c) {
  const std::string& cluster = c.path[2];
  const std::string& backup = c.path[4];
  if (c.is("POST", 6)) {
    HF_TRY(const uint64_t id, verifications.start_verification(cluster, backup, json::serialize(c.body)));
    return json_response(json::object{{"id", id}}, 202);
  }
  HF_TRY(const k8s::PointEvidence evidence, verifications.evidence(cluster, backup));
  return json_response(json::object{{"verified", evidence.verified()}, {"read", to_json(evidence.read)}, {"restore", to_json(evidence.restore)}});
}

void render_verifications(std::ostream& out, const std::vector<VerificationStatus>& orders) {
  const auto gauge = [&](const char* name, std::string (*value)(const VerificationStatus&)) {
    if (!orders.empty()) out << "# TYPE " << name << " gauge\n";
    for (const VerificationStatus& s : orders) out << name << "{schedule=\"" << s.policy << "-" << s.tier << "\",level=\"" << s.level << "\"} " << value(s) << "\n";
  };
  gauge("holdfast_verification_last_success_timestamp", [](const VerificationStatus& s) { return std::to_string(s.good_ms / 1000); });
  gauge("holdfast_verification_last_status", [](const VerificationStatus& s) { return std::string(s.last_state.empty() || s.last_state == "whole" || s.last_state == "verified" ? "1" : "0"); });
  gauge("holdfast_verification_overdue", [](const VerificationStatus& s) { return std::string(s.overdue ? "1" : "0"); });
  gauge("holdfast_rto_seconds", [](const VerificationStatus& s) { return std::to_string(static_cast<double>(s.ready_ms) / 1000); });
}

}  // namespace holdfast
