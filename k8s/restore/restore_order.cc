#include "k8s/restore/restore_order.h"

#include <array>
#include <map>

namespace holdfast::k8s {

namespace {

constexpr std::array<std::string_view, 24> kFirst{
    kDefinitions, kNamespaces, "storageclasses.storage.k8s.io", "volumesnapshotclasses.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io", "volumesnapshots.snapshot.storage.k8s.io", "datauploads.velero.io",
    "persistentvolumes", "persistentvolumeclaims", "clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io",
    "serviceaccounts", "clusterrolebindings.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "secrets", "configmaps",
    "limitranges", "priorityclasses.scheduling.k8s.io", "pods", "replicasets.apps", "clusterclasses.cluster.x-k8s.io", "endpoints",
    "services", "deployments.apps"};

constexpr std::array<std::string_view, 5> kLate{"clusterbootstraps.run.tanzu.vmware.com", "clusters.cluster.x-k8s.io",
                                                "clusterresourcesets.addons.cluster.x-k8s.io", "apps.kappctrl.k14s.io",
                                                "packageinstalls.packaging.carvel.dev"};

constexpr size_t kOthers = kFirst.size();

bool intercepts(std::string_view name) {
  return name == "mutatingwebhookconfigurations.admissionregistration.k8s.io" || name == "validatingwebhookconfigurations.admissionregistration.k8s.io" ||
         name == "validatingadmissionpolicybindings.admissionregistration.k8s.io" || name == "mutatingadmissionpolicybindings.admissionregistration.k8s.io";
}

size_t wave_of(std::string_view name) {
  for (size_t i = 0; i < kFirst.size(); ++i) {
    if (kFirst[i] == name) return i;
  }
  for (size_t i = 0; i < kLate.size(); ++i) {
    if (kLate[i] == name) return kOthers + 1 + i;
  }
  return intercepts(name) ? kOthers + kLate.size() + 1 : kOthers;
}

}  // namespace

std::vector<std::vector<std::string>> restore_waves(const std::vector<std::string>& group_resources) {
  std::map<size_t, std::vector<std::string>> waves;
  for (const std::string& name : group_resources) waves[wave_of(name)].push_back(name);
  std::vector<std::vector<std::string>> out;
  for (auto& [at, names] : waves) out.push_back(std::move(names));
  return out;
}

}  // namespace holdfast::k8s
