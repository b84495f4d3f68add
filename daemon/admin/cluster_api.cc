#include "daemon/admin/cluster_api.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

json::array texts(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object to_json(const ClusterStatus& c) {
  return {{"name", c.name}, {"server", c.server}, {"namespace", c.name_space}, {"bucket", c.bucket}, {"prefix", c.prefix},
          {"access_key", c.access_key}, {"added_ms", c.added_ms}};
}

json::object to_json(const ClusterFindings& f) {
  return {{"reachable", f.reachable}, {"problem", f.problem}, {"version", f.version}, {"kinds", f.kinds},
          {"missing_groups", texts(f.missing_groups)}, {"missing_for_backup", texts(f.missing_for_backup)},
          {"missing_for_restore", texts(f.missing_for_restore)}};
}

json::object to_json(const BackupStatus& b) {
  return {{"name", b.name}, {"phase", b.phase}, {"started", b.started}, {"completed", b.completed}, {"expires", b.expires},
          {"failure_reason", b.failure_reason}, {"items", b.items}, {"warnings", b.warnings}, {"errors", b.errors},
          {"validation_errors", texts(b.validation_errors)}};
}

Result<HttpResponse> add(ClusterService& clusters, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "kubeconfig", "kubeconfig_directory", "context", "namespace", "bucket"}));
  NewCluster wanted;
  HF_TRY(wanted.name, text_field(body, "name"));
  HF_TRY(wanted.kubeconfig, text_field(body, "kubeconfig"));
  HF_TRY(wanted.kubeconfig_directory, text_field(body, "kubeconfig_directory"));
  HF_TRY(wanted.context, text_field(body, "context"));
  HF_TRY(const std::string name_space, text_field(body, "namespace"));
  HF_TRY(const std::string bucket, text_field(body, "bucket"));
  if (!name_space.empty()) wanted.name_space = name_space;
  if (!bucket.empty()) wanted.bucket = bucket;
  HF_TRY(const ClusterFindings found, clusters.add_cluster(wanted));
  return json_response(to_json(found), 201);
}

// /v1/clusters/NAME/backups/...
Result<HttpResponse> serve_backups(ClusterService& clusters, const AdminCall& c) {
  const std::string& cluster = c.path[2];
  if (c.is("GET", 4)) {
    HF_TRY(const auto all, clusters.backups(cluster));
    json::array list;
    for (const BackupStatus& b : all) list.push_back(to_json(b));
    return json_response(json::object{{"backups", list}});
  }
  if (c.is("POST", 4)) {
    HF_CHECK(only_keys(c.body, {"name", "spec"}));
    HF_TRY(const std::string name, text_field(c.body, "name"));
    const json::value* spec = c.body.if_contains("spec");
    if (spec != nullptr && !spec->is_object()) return error(Code::kInvalidArgument, "\"spec\" is not an object");
    HF_CHECK(clusters.start_backup(cluster, name, spec != nullptr ? json::serialize(*spec) : "{}"));
    return json_response(json::object{{"name", name}}, 202);
  }
  if (c.is("GET", 5)) {
    HF_TRY(const BackupStatus b, clusters.backup(cluster, c.path[4]));
    return json_response(to_json(b));
  }
  if (c.is("DELETE", 5)) {
    HF_CHECK(clusters.delete_backup(cluster, c.path[4]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 6) && c.path[5] == "document") {
    HF_TRY(std::string document, clusters.backup_document(cluster, c.path[4]));
    HttpResponse r;
    r.headers.add("Content-Type", "application/json");
    r.body = std::move(document);
    return r;
  }
  if (c.is("GET", 6) && c.path[5] == "log") {
    HF_TRY(const std::string log, clusters.backup_log(cluster, c.path[4]));
    return json_response(json::object{{"log", log}});
  }
  return error(Code::kNotFound, "no such resource");
}

}  // namespace

Result<HttpResponse> serve_clusters(ClusterService& clusters, const AdminCall& c) {
  if (c.is("GET", 2)) {
    json::array all;
    for (const ClusterStatus& s : clusters.clusters()) all.push_back(to_json(s));
    return json_response(json::object{{"clusters", all}});
  }
  if (c.is("POST", 2)) return add(clusters, c.body);
  if (c.is("DELETE", 3)) {
    HF_CHECK(clusters.remove_cluster(c.path[2]));
    return HttpResponse{204, {}, {}};
  }
  if (c.is("GET", 4) && c.path[3] == "check") {
    HF_TRY(const ClusterFindings found, clusters.check_cluster(c.path[2]));
    return json_response(to_json(found));
  }
  if (c.path.size() >= 4 && c.path[3] == "backups") return serve_backups(clusters, c);
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
