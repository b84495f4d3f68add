#include "k8s/cluster_check.h"

#include "k8s/client/access_review.h"
#include "k8s/client/discovery.h"
#include "k8s/client/json_access.h"

namespace holdfast::k8s {

namespace {

Result<void> note_missing(ApiClient& client, const Permission& p, std::vector<std::string>& missing) {
  HF_TRY(const bool yes, access_allowed(client, p));
  if (!yes) missing.push_back(p.text());
  return {};
}

// Everything at once where the role says so, else kind by kind, to name what is missing.
Result<void> check_verb(ApiClient& client, const Discovery& discovery, const std::string& verb, std::vector<std::string>& missing) {
  HF_TRY(const bool all, access_allowed(client, {verb, "*", "*", "", ""}));
  if (all) return {};
  for (const ApiResource& r : discovery.resources()) {
    if (r.can(verb)) HF_CHECK(note_missing(client, {verb, r.group, r.name, "", ""}, missing));
  }
  return {};
}

}  // namespace

Result<ClusterReport> check_cluster(const ClusterAccess& access, Clock& clock) {
  ApiClientOptions options;
  options.retry_for = std::chrono::seconds(5);
  ApiClient client(access, clock, options);
  ClusterReport report;
  HF_TRY(const std::string version, client.get("/version"));
  report.version = text_at(object_or_empty(version), "gitVersion");
  HF_TRY(const Discovery discovery, Discovery::read(client));
  report.kinds = discovery.resources().size();
  for (const MissingGroup& m : discovery.missing()) report.missing_groups.push_back(m.group_version + ": " + m.reason);
  for (const char* verb : {"list", "get"}) HF_CHECK(check_verb(client, discovery, verb, report.missing_for_backup));
  for (const char* verb : {"get", "create"}) HF_CHECK(note_missing(client, {verb, "", "pods", "exec", ""}, report.missing_for_backup));
  for (const char* verb : {"create", "update", "patch", "delete"}) {
    HF_TRY(const bool all, access_allowed(client, {verb, "*", "*", "", ""}));
    if (!all) report.missing_for_restore.push_back(std::string(verb) + " *.*");
  }
  for (const char* resource : {"roles", "clusterroles"}) {
    for (const char* verb : {"escalate", "bind"}) {
      HF_CHECK(note_missing(client, {verb, "rbac.authorization.k8s.io", resource, "", ""}, report.missing_for_restore));
    }
  }
  return report;
}

}  // namespace holdfast::k8s
