// Objects of a backup that no cluster wants back.
#include "k8s/restore/item_transforms.h"

namespace holdfast::k8s {

namespace {

std::string about_pod(const json::object& object) {
  const std::string phase = text_at(object_at(object, "status"), "phase");
  if (phase == "Succeeded" || phase == "Failed") return "the pod had ended: " + phase;
  const json::object& annotations = object_at(object_at(object, "metadata"), "annotations");
  return annotations.contains("kubernetes.io/config.mirror") ? "it is a mirror of a static pod" : "";
}

// Clusters before 1.24 made one for every service account, with a random end to its name.
std::string about_secret(const json::object& object) {
  if (view_at(object, "type") != "kubernetes.io/service-account-token") return "";
  const json::object& metadata = object_at(object, "metadata");
  const std::string account = text_at(object_at(metadata, "annotations"), "kubernetes.io/service-account.name");
  const std::string prefix = account + "-token-";
  const std::string_view name = view_at(metadata, "name");
  return !account.empty() && name.starts_with(prefix) && name.size() == prefix.size() + 5 ? "the cluster makes such tokens by itself" : "";
}

// The API server keeps its own address there.
bool is_of_the_server(const json::object& object) {
  const json::object& metadata = object_at(object, "metadata");
  return view_at(metadata, "namespace") == "default" && view_at(metadata, "name") == "kubernetes";
}

}  // namespace

std::optional<std::string> left_out(const std::string& group_resource, const json::object& object) {
  const json::object& metadata = object_at(object, "metadata");
  std::string why;
  if (group_resource == "pods") why = about_pod(object);
  if (group_resource == "secrets") why = about_secret(object);
  if (group_resource == "jobs.batch" && !view_at(object_at(object, "status"), "completionTime").empty()) why = "the job had completed";
  const std::string_view authorities = group_resource == "configmaps" ? view_at(metadata, "name") : std::string_view();
  if (authorities == "kube-root-ca.crt" || authorities == "extension-apiserver-authentication") why = "the cluster has its own certificate authority";
  if (group_resource == "apiservices.apiregistration.k8s.io" && object_at(metadata, "labels").contains("kube-aggregator.kubernetes.io/automanaged")) {
    why = "the API server manages it";
  }
  const bool address = group_resource == "services" || group_resource == "endpoints" || group_resource == "endpointslices.discovery.k8s.io";
  if (address && is_of_the_server(object)) why = "the API server keeps its own address there";
  const std::string_view name_space = view_at(metadata, "namespace");
  if (group_resource == "leases.coordination.k8s.io" && (name_space == "kube-node-lease" || name_space == "kube-system")) why = "it says who held something then";
  if (group_resource == "ipaddresses.networking.k8s.io" && !view_at(object_at(metadata, "labels"), "ipaddress.kubernetes.io/managed-by").empty()) {
    why = "the API server notes the addresses of services by itself";
  }
  // Restored without their status they would be carried out again: a deletion, too.
  if (group_resource == "deletebackuprequests.velero.io" || group_resource == "downloadrequests.velero.io" || group_resource == "serverstatusrequests.velero.io") {
    why = "it is a request that was answered";
  }
  if (why.empty()) return std::nullopt;
  return why;
}

}  // namespace holdfast::k8s
