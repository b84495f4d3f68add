#include "k8s/restore/service_transform.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace holdfast::k8s {

namespace {

// Of a port; 0 where it is no number that one could have.
int64_t number_of(const json::value& v) {
  constexpr double kFar = 1e9;
  if (v.is_int64()) return v.get_int64();
  if (v.is_double()) return std::abs(v.get_double()) < kFar ? static_cast<int64_t>(v.get_double()) : 0;
  if (!v.is_string()) return 0;
  const json::string& text = v.get_string();
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t number_at(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr ? number_of(*v) : 0;
}

// The spec that `kubectl apply` was given; nullopt where it was not used.
std::optional<json::object> applied_spec(const json::object& service) {
  const json::object& annotations = object_at(object_at(service, "metadata"), "annotations");
  const json::value* applied = annotations.if_contains("kubectl.kubernetes.io/last-applied-configuration");
  if (applied == nullptr || !applied->is_string()) return std::nullopt;
  return object_at(object_or_empty(applied->get_string()), "spec");
}

// f:spec of every manager of fields.
std::vector<const json::object*> managed_specs(const json::object& service) {
  std::vector<const json::object*> out;
  for (const json::value& entry : array_at(object_at(service, "metadata"), "managedFields")) {
    if (entry.is_object()) out.push_back(&object_at(object_at(entry.get_object(), "fieldsV1"), "f:spec"));
  }
  return out;
}

// Which ports somebody gave a node port.
class AskedPorts {
 public:
  explicit AskedPorts(const json::object& service) {
    const auto applied = applied_spec(service);
    by_fields_ = !applied;
    if (applied) {
      read_applied(*applied);
      return;
    }
    for (const json::object* spec : managed_specs(service)) {
      for (const auto& [key, port] : object_at(*spec, "f:ports")) {
        if (port.is_object() && port.get_object().contains("f:nodePort")) keys_.insert(key);
      }
    }
  }

  bool has(const json::object& port) const {
    if (by_fields_) return keys_.contains("k:{\"port\":" + std::to_string(number_at(port, "port")) + ",\"protocol\":\"" + text_at(port, "protocol") + "\"}");
    const std::string name = text_at(port, "name");
    return name.empty() ? unnamed_.contains(number_at(port, "nodePort")) : keys_.contains(name);
  }

 private:
  void read_applied(const json::object& spec) {
    for (const json::value& p : array_at(spec, "ports")) {
      if (!p.is_object() || number_at(p.get_object(), "nodePort") <= 0) continue;
      const std::string name = text_at(p.get_object(), "name");
      if (name.empty()) unnamed_.insert(number_at(p.get_object(), "nodePort"));
      else keys_.insert(name);
    }
  }

  bool by_fields_ = false;
  std::set<std::string> keys_;  // names of ports, or keys of managed fields
  std::set<int64_t> unnamed_;
};

bool asked_for_health_port(const json::object& service) {
  if (const auto applied = applied_spec(service); applied && number_at(*applied, "healthCheckNodePort") != 0) return true;
  const auto specs = managed_specs(service);
  return std::any_of(specs.begin(), specs.end(), [](const json::object* s) { return s->contains("f:healthCheckNodePort"); });
}

}  // namespace

void transform_service(json::object& service, bool preserve_node_ports) {
  json::object* spec = object_in(service, "spec");
  if (spec == nullptr) return;
  if (view_at(*spec, "clusterIP") != "None") {
    spec->erase("clusterIP");
    spec->erase("clusterIPs");
  }
  if (preserve_node_ports) return;
  const AskedPorts asked(service);
  if (json::array* ports = array_in(*spec, "ports"); ports != nullptr && view_at(*spec, "type") != "ExternalName") {
    for (json::value& p : *ports) {
      if (p.is_object() && !asked.has(p.get_object())) p.get_object().erase("nodePort");
    }
  }
  const bool local = view_at(*spec, "externalTrafficPolicy") == "Local" && view_at(*spec, "type") == "LoadBalancer";
  if (local && !asked_for_health_port(service)) spec->erase("healthCheckNodePort");
}

}  // namespace holdfast::k8s
