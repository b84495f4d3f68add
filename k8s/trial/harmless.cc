#include "k8s/trial/harmless.h"

#include <algorithm>
#include <array>

#include "k8s/restore_trial.h"

namespace holdfast::k8s {

namespace {

constexpr std::array<std::string_view, 14> kBuiltInGroups{
    "", "apps", "batch", "autoscaling", "policy", "extensions", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io", "coordination.k8s.io",
    "discovery.k8s.io", "node.k8s.io", "scheduling.k8s.io", "resource.k8s.io"};
// An autoscaler would change what is compared.
constexpr std::array<std::string_view, 3> kNotWritten{"ingresses.networking.k8s.io", "ingresses.extensions", "horizontalpodautoscalers.autoscaling"};

void keep_service_inside(json::object& spec) {
  const std::string_view type = view_at(spec, "type");
  if (type == "LoadBalancer" || type == "NodePort") spec["type"] = "ClusterIP";
  for (const char* field : {"externalIPs", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort"}) spec.erase(field);
  json::array* ports = array_in(spec, "ports");
  if (ports == nullptr) return;
  for (json::value& port : *ports) {
    if (port.is_object()) port.get_object().erase("nodePort");
  }
}

// Of a pod, or what a workload makes pods from.
json::object* pod_spec_of(const std::string& group_resource, json::object& spec) {
  if (group_resource == "pods") return &spec;
  json::object* pods = object_in(spec, "template");
  return pods == nullptr ? nullptr : object_in(*pods, "spec");
}

}  // namespace

bool acts_outside(const std::string& group_resource, bool custom_resources) {
  if (std::find(kNotWritten.begin(), kNotWritten.end(), group_resource) != kNotWritten.end()) return true;
  const size_t dot = group_resource.find('.');
  const std::string_view group = dot == std::string::npos ? std::string_view() : std::string_view(group_resource).substr(dot + 1);
  return !custom_resources && std::find(kBuiltInGroups.begin(), kBuiltInGroups.end(), group) == kBuiltInGroups.end();
}

void make_harmless(const std::string& group_resource, json::object& object, bool isolated) {
  json::object* spec = object_in(object, "spec");
  if (spec == nullptr) return;
  if (group_resource == "services") keep_service_inside(*spec);
  if (group_resource == "jobs.batch" || group_resource == "cronjobs.batch") (*spec)["suspend"] = true;
  if (group_resource == "persistentvolumeclaims") spec->erase("volumeName");
  // Pods of a trial drive nobody off a node.
  if (json::object* pod = pod_spec_of(group_resource, *spec)) {
    for (const char* field : {"priorityClassName", "priority", "preemptionPolicy"}) pod->erase(field);
  }
  // Policies add up: one that lets pods out would undo the isolation. It is written, and chooses no pod.
  if (group_resource == "networkpolicies.networking.k8s.io" && isolated) (*spec)["podSelector"] = json::object{{"matchLabels", json::object{{kTrialLabel, "none"}}}};
}

json::object isolation(const std::string& id) {
  json::array dns;
  for (const char* protocol : {"UDP", "TCP"}) dns.push_back(json::object{{"protocol", protocol}, {"port", 53}});
  const json::object inside{{"namespaceSelector", json::object{{"matchLabels", json::object{{kTrialLabel, id}}}}}};
  return {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "NetworkPolicy"}, {"metadata", json::object{{"name", "holdfast-trial"}}},
          {"spec", json::object{{"podSelector", json::object()}, {"policyTypes", json::array{"Egress"}},
                                {"egress", json::array{json::object{{"to", json::array{inside}}}, json::object{{"ports", std::move(dns)}}}}}}};
}

}  // namespace holdfast::k8s
