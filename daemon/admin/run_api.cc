#include "daemon/admin/run_api.h"

#include <boost/json.hpp>
#include <charconv>

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const RunStatus& r) {
  return {{"name", r.name}, {"phase", r.phase}, {"started", r.started}, {"completed", r.completed}, {"failure_reason", r.failure_reason},
          {"items", r.items}, {"warnings", r.warnings}, {"errors", r.errors}, {"validation_errors", texts(r.validation_errors)}};
}

json::object backup_json(const RunStatus& r) {
  json::object o = to_json(r);
  o["expires"] = r.expires;
  o["policy"] = r.policy;
  o["tier"] = r.tier;
  o["verified"] = r.verified;
  o["doubted"] = r.doubted;
  o["locked_until"] = time_text(r.locked_until_ms);
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
  HF_CHECK(only_keys(body, {"name", "spec", "from_cluster", "from_site", "plan", "partial", "namespace_timeout_s"}));
  NewRestore r;
  HF_TRY(r.name, text_field(body, "name"));
  HF_TRY(r.spec, spec_field(body));
  HF_TRY(r.from_cluster, text_field(body, "from_cluster"));
  HF_TRY(r.from_site, text_field(body, "from_site"));
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

// What can be done with both, once they have begun.
struct RunCalls {
  const char* name;  // of the list in its answer
  json::object (*shown)(const RunStatus&);
  Result<std::vector<RunStatus>> (ClusterService::*all)(const std::string& cluster);
  Result<RunStatus> (ClusterService::*one)(const std::string& cluster, const std::string& name);
  Result<std::string> (ClusterService::*document)(const std::string& cluster, const std::string& name);
  Result<std::string> (ClusterService::*log)(const std::string& cluster, const std::string& name);
  Result<void> (ClusterService::*remove)(const std::string& cluster, const std::string& name);
};

Result<HttpResponse> serve_runs(ClusterService& clusters, const AdminCall& c, const RunCalls& calls) {
  const std::string& cluster = c.path[2];
  if (c.is("GET", 4)) {
    HF_TRY(const auto all, (clusters.*calls.all)(cluster));
    json::array list;
    for (const RunStatus& r : all) list.push_back(calls.shown(r));
    return json_response(json::object{{calls.name, std::move(list)}});
  }
  if (c.is("GET", 5)) {
    HF_TRY(const RunStatus r, (clusters.*calls.one)(cluster, c.path[4]));
    return json_response(calls.shown(r));
  }
  if (c.is("DELETE", 5)) {
    HF_CHECK((clusters.*calls.remove)(cluster, c.path[4]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 6) && c.path[5] == "document") {
    HF_TRY(std::string document, (clusters.*calls.document)(cluster, c.path[4]));
    return document_response(std::move(document));
  }
  if (c.is("GET", 6) && c.path[5] == "log") {
    HF_TRY(const std::string log, (clusters.*calls.log)(cluster, c.path[4]));
    return json_response(json::object{{"log", log}});
  }
  return error(Code::kNotFound, "no such resource");
}

constexpr RunCalls kBackupCalls{"backups", backup_json, &ClusterService::backups, &ClusterService::backup, &ClusterService::backup_document,
                                &ClusterService::backup_log, &ClusterService::delete_backup};
constexpr RunCalls kRestoreCalls{"restores", restore_json, &ClusterService::restores, &ClusterService::restore, &ClusterService::restore_document,
                                 &ClusterService::restore_log, &ClusterService::delete_restore};

}  // namespace

namespace {

Result<HttpResponse> archive_piece(ClusterService& clusters, const AdminCall& c) {
  uint64_t offset = 0;
  const std::string& text = c.path[6];
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (ec != std::errc() || end != text.data() + text.size()) return error(Code::kInvalidArgument, "\"" + text + "\" is no offset");
  HF_TRY(ArchivePiece piece, clusters.backup_archive(c.path[2], c.path[4], offset));
  HttpResponse r;
  r.headers.add("Content-Type", "application/gzip");
  r.headers.add("X-Total-Bytes", std::to_string(piece.total_bytes));
  r.headers.add("ETag", "\"" + piece.etag + "\"");
  r.body = std::move(piece.bytes);
  return r;
}

}  // namespace

Result<HttpResponse> serve_backups(ClusterService& clusters, const AdminCall& c) {
  if (c.is("GET", 7) && c.path[5] == "archive") return archive_piece(clusters, c);
  if (!c.is("POST", 4)) return serve_runs(clusters, c, kBackupCalls);
  HF_CHECK(only_keys(c.body, {"name", "spec", "by_velero", "urgent"}));
  NewBackup wanted;
  HF_TRY(wanted.name, text_field(c.body, "name"));
  HF_TRY(wanted.spec, spec_field(c.body));
  HF_TRY(wanted.by_velero, flag_field(c.body, "by_velero", false));
  HF_TRY(wanted.urgent, flag_field(c.body, "urgent", false));
  HF_CHECK(clusters.start_backup(c.path[2], wanted));
  return json_response(json::object{{"name", wanted.name}}, 202);
}

Result<HttpResponse> serve_restores(ClusterService& clusters, const AdminCall& c) {
  if (!c.is("POST", 4)) return serve_runs(clusters, c, kRestoreCalls);
  HF_TRY(const NewRestore wanted, restore_from_json(c.body));
  HF_CHECK(clusters.start_restore(c.path[2], wanted));
  return json_response(json::object{{"name", wanted.name}}, 202);
}

}  // namespace holdfast
