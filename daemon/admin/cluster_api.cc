#include "daemon/admin/cluster_api.h"

#include <boost/json.hpp>

#include "daemon/admin/run_api.h"

namespace holdfast {

namespace json = boost::json;

namespace {

json::object to_json(const ClusterStatus& c) {
  return {{"name", c.name}, {"server", c.server}, {"namespace", c.name_space}, {"bucket", c.bucket}, {"prefix", c.prefix},
          {"access_key", c.access_key}, {"added_ms", c.added_ms}, {"serve", c.serve}, {"role", c.role}, {"role_reason", c.role_reason}, {"alarm", c.alarm}};
}

json::object to_json(const ClusterSchedule& c) {
  const k8s::KnownSchedule& s = c.schedule;
  return {{"cluster", c.cluster}, {"name", s.name}, {"schedule", s.schedule}, {"paused", s.paused}, {"phase", s.phase}, {"reason", s.reason},
          {"next", time_text(s.next_ms)}, {"last_phase", s.last_phase}, {"last_completed", time_text(s.last_completed_ms)}};
}

json::object to_json(const ClusterFindings& f) {
  return {{"reachable", f.reachable}, {"problem", f.problem}, {"version", f.version}, {"kinds", f.kinds},
          {"missing_groups", texts(f.missing_groups)}, {"missing_for_backup", texts(f.missing_for_backup)},
          {"missing_for_restore", texts(f.missing_for_restore)}};
}

Result<HttpResponse> add(ClusterService& clusters, const json::object& body) {
  HF_CHECK(only_keys(body, {"name", "kubeconfig", "kubeconfig_directory", "context", "namespace", "bucket", "serve"}));
  NewCluster wanted;
  HF_TRY(wanted.name, text_field(body, "name"));
  HF_TRY(wanted.kubeconfig, text_field(body, "kubeconfig"));
  HF_TRY(wanted.kubeconfig_directory, text_field(body, "kubeconfig_directory"));
  HF_TRY(wanted.context, text_field(body, "context"));
  HF_TRY(const std::string name_space, text_field(body, "namespace"));
  HF_TRY(const std::string bucket, text_field(body, "bucket"));
  if (!name_space.empty()) wanted.name_space = name_space;
  if (!bucket.empty()) wanted.bucket = bucket;
  HF_TRY(wanted.serve, flag_field(body, "serve", true));
  HF_TRY(const ClusterFindings found, clusters.add_cluster(wanted));
  return json_response(to_json(found), 201);
}

}  // namespace

json::array clusters_json(const ClusterService& clusters) { return list_json(clusters.clusters(), to_json); }

json::array schedules_json(const ClusterService& clusters) { return list_json(clusters.schedules(), to_json); }

Result<HttpResponse> serve_clusters(ClusterService& clusters, const AdminCall& c) {
  if (c.is("GET", 2)) return json_response(json::object{{"clusters", clusters_json(clusters)}});
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
  if (c.path.size() >= 4 && c.path[3] == "restores") return serve_restores(clusters, c);
  return error(Code::kNotFound, "no such resource");
}

}  // namespace holdfast
