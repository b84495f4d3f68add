#include "daemon/admin/run_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object to_json(const RunStatus& r) {
  return {{"name", r.name}, {"phase", r.phase}, {"started", r.started}, {"completed", r.completed}, {"failure_reason", r.failure_reason},
          {"items", r.items}, {"warnings", r.warnings}, {"errors", r.errors}, {"validation_errors", texts(r.validation_errors)}};
}

json::object backup_json(const RunStatus& r) {
  json::object o = to_json(r);
  o["expires"] = r.expires;
  return o;
}

json::object restore_json(const RunStatus& r) {
  json::object o = to_json(r);
  o["backup"] = r.backup;
  o["total"] = r.total;
  o["lacks"] = texts(r.lacks);
  boost::system::error_code ec;
  if (!r.plan.empty()) o["plan"] = json::parse(r.plan, ec);
  return o;
}

HttpResponse document_response(std::string document) {
  HttpResponse r;
  r.headers.add("Content-Type", "application/json");
  r.body = std::move(document);
  return r;
}

// "{}" where it is absent.
Result<std::string> spec_field(const json::object& body) {
  const json::value* spec = body.if_contains("spec");
  if (spec == nullptr) return "{}";
  if (!spec->is_object()) return error(Code::kInvalidArgument, "\"spec\" is not an object");
  return json::serialize(*spec);
}

Result<NewRestore> restore_from_json(const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "spec", "from_cluster", "plan", "partial", "namespace_timeout_s"}));
  NewRestore r;
  HF_TRY(r.name, text_field(body, "name"));
  HF_TRY(r.spec, spec_field(body));
  HF_TRY(r.from_cluster, text_field(body, "from_cluster"));
  HF_TRY(r.plan, flag_field(body, "plan", false));
  HF_TRY(r.partial, flag_field(body, "partial", false));
  if (const json::value* seconds = body.if_contains("namespace_timeout_s")) {
    if (!seconds->is_int64() || seconds->get_int64() < 0 || seconds->get_int64() > 86'400) {
      return error(Code::kInvalidArgument, "\"namespace_timeout_s\" is a number of seconds, up to a day");
    }
    r.namespace_timeout_s = seconds->get_int64();
  }
  return r;
}

json::object listed(const char* name, const std::vector<RunStatus>& all, json::object (*shown)(const RunStatus&)) {
  json::array list;
  for (const RunStatus& r : all) list.push_back(shown(r));
  return {{name, std::move(list)}};
}

}  // namespace

Result<HttpResponse> serve_backups(ClusterService& clusters, const AdminCall& c) {
  const std::string& cluster = c.path[2];
  if (c.is("GET", 4)) {
    HF_TRY(const auto all, clusters.backups(cluster));
    return json_response(listed("backups", all, backup_json));
  }
  if (c.is("POST", 4)) {
    HF_CHECK(only_keys(c.body, {"name", "spec"}));
    HF_TRY(const std::string name, text_field(c.body, "name"));
    HF_TRY(const std::string spec, spec_field(c.body));
    HF_CHECK(clusters.start_backup(cluster, name, spec));
    return json_response(json::object{{"name", name}}, 202);
  }
  if (c.is("GET", 5)) {
    HF_TRY(const RunStatus b, clusters.backup(cluster, c.path[4]));
    return json_response(backup_json(b));
  }
  if (c.is("DELETE", 5)) {
    HF_CHECK(clusters.delete_backup(cluster, c.path[4]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 6) && c.path[5] == "document") {
    HF_TRY(std::string document, clusters.backup_document(cluster, c.path[4]));
    return document_response(std::move(document));
  }
  if (c.is("GET", 6) && c.path[5] == "log") {
    HF_TRY(const std::string log, clusters.backup_log(cluster, c.path[4]));
    return json_response(json::object{{"log", log}});
  }
  return error(Code::kNotFound, "no such resource");
}

Result<HttpResponse> serve_restores(ClusterService& clusters, const AdminCall& c) {
  const std::string& cluster = c.path[2];
  if (c.is("GET", 4)) {
    HF_TRY(const auto all, clusters.restores(cluster));
    return json_response(listed("restores", all, restore_json));
  }
  if (c.is("POST", 4)) {
    HF_TRY(const NewRestore wanted, restore_from_json(c.body));
    HF_CHECK(clusters.start_restore(cluster, wanted));
    return json_response(json::object{{"name", wanted.name}}, 202);
  }
  if (c.is("GET", 5)) {
    HF_TRY(const RunStatus r, clusters.restore(cluster, c.path[4]));
    return json_response(restore_json(r));
  }
  if (c.is("DELETE", 5)) {
    HF_CHECK(clusters.delete_restore(cluster, c.path[4]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 6) && c.path[5] == "document") {
    HF_TRY(std::string document, clusters.restore_document(cluster, c.path[4]));
    return document_response(std::move(document));
  }
  if (c.is("GET", 6) && c.path[5] == "log") {
    HF_TRY(const std::string log, clusters.restore_log(cluster, c.path[4]));
    return json_response(json::object{{"log", log}});
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
