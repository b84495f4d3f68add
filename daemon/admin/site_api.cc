#include "daemon/admin/site_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const SiteStatus& s) {
  return {{"name", s.name}, {"url", s.url}, {"bucket", s.bucket}, {"region", s.region}, {"access_key", s.access_key}, {"added", time_text(s.added_ms)}, {"bytes_per_second", s.bytes_per_second}};
}

json::object to_json(const SiteFindings& f) {
  return {{"usable", f.usable}, {"problem", f.problem}, {"conditional_writes", f.conditional_writes}, {"tags", f.tags},
          {"object_lock", f.object_lock}, {"versioning", f.versioning}, {"clock_ahead_ms", f.clock_ahead_ms}};
}

json::object to_json(const SiteUnit& u) {
  return {{"cluster", u.cluster}, {"backup", u.backup}, {"source", u.source}, {"policy", u.policy}, {"tier", u.tier},
          {"started", time_text(u.started_ms)}, {"copied", time_text(u.copied_ms)}, {"expires", time_text(u.expires_ms)},
          {"locked_until", time_text(u.locked_until_ms)}};
}

json::object to_json(const CopyStatus& c) {
  return {{"cluster", c.cluster}, {"backup", c.backup}, {"state", c.state}, {"reason", c.reason},
          {"objects", c.objects}, {"objects_done", c.objects_done}, {"bytes", c.bytes}, {"bytes_done", c.bytes_done}, {"damage", texts(c.damage)}};
}

json::object to_json(const SiteLayout& l) { return {{"cluster", l.cluster}, {"backup", l.backup}, {"prefix", l.prefix}, {"whole", l.whole}}; }

json::object to_json(const OrderStatus& o) {
  return {{"cluster", o.cluster}, {"policy", o.policy}, {"tier", o.tier}, {"site", o.site}, {"looked_at", o.looked_at}, {"newest", time_text(o.newest_ms)},
          {"there", o.there}, {"due", o.due}, {"problem", o.problem}};
}

Result<uint64_t> limit_of(const json::object& body) {
  const json::value* limit = body.if_contains("bytes_per_second");
  if (limit == nullptr) return 0;
  if (!limit->is_int64() || limit->get_int64() < 0) return error(Code::kInvalidArgument, "\"bytes_per_second\" is no number of bytes");
  return static_cast<uint64_t>(limit->get_int64());
}

Result<HttpResponse> add(SiteService& sites, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "url", "bucket", "region", "access_key", "secret_key", "ca_pem", "bytes_per_second"}));
  NewSite wanted;
  HF_TRY(wanted.name, text_field(body, "name"));
  HF_TRY(wanted.url, text_field(body, "url"));
  HF_TRY(wanted.bucket, text_field(body, "bucket"));
  HF_TRY(wanted.access_key, text_field(body, "access_key"));
  HF_TRY(wanted.secret, text_field(body, "secret_key"));
  HF_TRY(wanted.ca_pem, text_field(body, "ca_pem"));
  HF_TRY(const std::string region, text_field(body, "region"));
  if (!region.empty()) wanted.region = region;
  HF_TRY(wanted.bytes_per_second, limit_of(body));
  HF_TRY(const SiteFindings found, sites.add_site(wanted));
  return json_response(to_json(found), 201);
}

Result<HttpResponse> serve_copies(SiteService& sites, const AdminCall& c) {
  const std::string& site = c.path[2];
  if (c.is("GET", 4)) {
    HF_TRY(const SiteCopies copies, sites.copies(site));
    return json_response(json::object{{"units", list_json(copies.units, to_json)}, {"copies", list_json(copies.copies, to_json)}, {"layouts", list_json(copies.layouts, to_json)}});
  }
  if (c.is("POST", 4)) {
    HF_CHECK(only_keys(c.body, {"cluster", "backup"}));
    HF_TRY(const std::string cluster, text_field(c.body, "cluster"));
    HF_TRY(const std::string backup, text_field(c.body, "backup"));
    HF_CHECK(sites.start_copy(site, cluster, backup));
    return json_response(json::object{{"cluster", cluster}, {"backup", backup}}, 202);
  }
  if (c.is("POST", 7) && c.path[6] == "fetch") {
    HF_CHECK(only_keys(c.body, {"volumes"}));
    const json::value* volumes = c.body.if_contains("volumes");
    if (volumes != nullptr && !volumes->is_bool()) return error(Code::kInvalidArgument, "\"volumes\" is neither true nor false");
    HF_CHECK(sites.start_fetch(site, c.path[4], c.path[5], volumes == nullptr || volumes->get_bool()));
    return json_response(json::object(), 202);
  }
  if (c.is("POST", 7) && c.path[6] == "layout") {
    HF_CHECK(sites.start_layout(site, c.path[4], c.path[5]));
    return json_response(json::object(), 202);
  }
  if (c.is("DELETE", 7) && c.path[6] == "layout") {
    HF_CHECK(sites.start_clearing(site, c.path[4], c.path[5]));
    return json_response(json::object(), 202);
  }
  if (c.is("POST", 7) && c.path[6] == "unhide") {
    HF_CHECK(sites.start_unhiding(site, c.path[4], c.path[5]));
    return json_response(json::object(), 202);
  }
  if (c.is("POST", 7) && c.path[6] == "verify") {
    HF_CHECK(sites.check_copy(site, c.path[4], c.path[5], true));
    return json_response(json::object(), 202);
  }
  if (c.is("DELETE", 6)) {
    HF_CHECK(sites.remove_copy(site, c.path[4], c.path[5]));
    return HttpResponse{204, {}, {}};
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace

Result<HttpResponse> serve_sites(SiteService& sites, const AdminCall& c) {
  if (c.is("GET", 2)) return json_response(json::object{{"sites", list_json(sites.sites(), to_json)}});
  if (c.is("POST", 2)) return add(sites, c.body);
  if (c.is("GET", 3) && c.path[2] == "orders") return json_response(json::object{{"orders", list_json(sites.orders(), to_json)}});
  if (c.is("PATCH", 3)) {
    HF_CHECK(only_keys(c.body, {"bytes_per_second"}));
    HF_TRY(const uint64_t limit, limit_of(c.body));
    HF_CHECK(sites.limit_site(c.path[2], limit));
    return json_response(json::object());
  }
  if (c.is("DELETE", 3)) {
    HF_CHECK(sites.remove_site(c.path[2]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 4) && c.path[3] == "check") {
    HF_TRY(const SiteFindings found, sites.check_site(c.path[2]));
    return json_response(to_json(found));
  }
  if (c.is("GET", 4) && c.path[3] == "hidden") {
    HF_TRY(const auto units, sites.hidden_copies(c.path[2]));
    return json_response(json::object{{"units", list_json(units, to_json)}});
  }
  if (c.is("GET", 4) && c.path[3] == "transfers") {
    HF_TRY(const auto transfers, sites.transfers(c.path[2]));
    return json_response(json::object{{"copies", list_json(transfers, to_json)}});
  }
  if (c.path.size() >= 4 && c.path[3] == "copies") return serve_copies(sites, c);
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
