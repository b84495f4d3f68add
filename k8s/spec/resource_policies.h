// Which volumes and kinds a backup leaves out, from a ConfigMap: https://velero.io/docs/main/resource-filtering/#resource-policies
#pragma once

#include <optional>

#include "k8s/client/json_access.h"
#include "k8s/spec/name_lists.h"

namespace holdfast::k8s {

// A volume as conditions look at it.
struct PolicyVolume {
  long double capacity = 0;
  std::string storage_class;
  std::string type;  // "nfs", "csi", "emptyDir", ...
  json::object source;  // what stands under that name
  json::object claim_labels;
  std::string claim_phase, claim_mode;
  std::vector<std::string> claim_access_modes;

  void take_volume(const json::object& persistent_volume);
  void take_claim(const json::object& claim);
  // One that a pod brings itself, without a claim.
  static PolicyVolume of_pod_volume(const json::object& volume);
};

// Immutable.
class ResourcePolicies {
 public:
  // The ConfigMap as the API server has it, with one key. kInvalidArgument: what is wrong with it, unknown fields and what
  // this server does not do: actions other than skip, filters by namespace.
  static Result<ResourcePolicies> parse(const json::object& config_map);

  // The first policy whose conditions all hold decides.
  bool skips(const PolicyVolume& volume) const;
  // Kinds, as the newer filters of a backup have them.
  const NameLists& cluster_scoped() const { return cluster_scoped_; }
  const NameLists& namespace_scoped() const { return namespace_scoped_; }
  bool filters() const { return cluster_scoped_.any() || namespace_scoped_.any(); }

 private:
  struct Conditions {
    long double at_least = 0, at_most = 0;  // 0: no bound
    std::vector<std::string> storage_classes, types, phases, access_modes;
    std::optional<json::object> nfs, csi;
    json::object labels;
    std::string mode;
    bool hold(const PolicyVolume& volume) const;
  };
  static Result<Conditions> conditions_of(const json::object& o);
  Result<void> read_volume_policies(const json::array& policies);
  Result<void> read_filters(const json::object& filters);

  std::vector<Conditions> skipped_;
  NameLists cluster_scoped_, namespace_scoped_;
};

}  // namespace holdfast::k8s
