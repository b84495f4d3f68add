#include "daemon/admin/recovery_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const RecoveryStatus& s) {
  json::array sites;
  for (const SiteRecovery& site : s.sites) {
    sites.push_back(json::object{{"site", site.site}, {"problem", site.problem}, {"bundle", site.bundle_number}, {"bundle_sent", time_text(site.bundle_sent_ms)}});
  }
  return {{"appliance", s.appliance}, {"state", name_of(s.state)}, {"reason", s.reason}, {"generation", s.generation}, {"can_be_sealed", s.can_be_sealed}, {"sites", std::move(sites)}};
}

Result<HttpResponse> activate(RecoveryService& recovery, const json::object& body) {
  HF_CHECK(only_keys(body, {"unfenced_sites"}));
  HF_TRY(const auto unfenced, texts_field(body, "unfenced_sites"));
  HF_CHECK(recovery.activate(unfenced));
  return json_response(to_json(recovery.status()));
}

}  // namespace

json::object to_json(const BundleReport& r) {
  return {{"appliance", r.appliance}, {"host", r.host}, {"generation", r.generation}, {"number", r.number}, {"bytes", r.bytes}, {"written", time_text(r.written_ms)},
          {"clusters", texts(r.clusters)}, {"policies", texts(r.policies)}, {"sites", texts(r.sites)}, {"buckets", texts(r.buckets)}, {"users", texts(r.users)}, {"lacks", texts(r.lacks)}};
}

Result<HttpResponse> serve_recovery(RecoveryService& recovery, const AdminCall& c) {
  if (c.is("GET", 2)) return json_response(to_json(recovery.status()));
  if (c.is("POST", 3) && c.path[2] == "activate") return activate(recovery, c.body);
  if (c.is("POST", 3) && c.path[2] == "check") {
    HF_CHECK(only_keys(c.body, {"site", "recovery_key"}));
    HF_TRY(const std::string site, text_field(c.body, "site"));
    HF_TRY(const std::string key, text_field(c.body, "recovery_key"));
    HF_TRY(const BundleReport report, recovery.check_bundle(site, key));
    return json_response(to_json(report));
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
