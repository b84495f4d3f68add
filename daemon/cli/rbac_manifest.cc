#include "daemon/cli/rbac_manifest.h"

namespace holdfast {

namespace {

constexpr const char* kRole = R"(apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: holdfast
rules:
# Backups read every object of every kind, those of custom resources too.
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["get", "list", "watch"]
# Hooks run commands in pods.
- apiGroups: [""]
  resources: ["pods/exec"]
  verbs: ["get", "create"]
- nonResourceURLs: ["/version", "/api", "/api/*", "/apis", "/apis/*"]
  verbs: ["get"]
# The objects by which Velero's tools speak to Holdfast.
- apiGroups: ["velero.io"]
  resources: ["*"]
  verbs: ["create", "update", "patch", "delete"]
- apiGroups: ["apiextensions.k8s.io"]
  resources: ["customresourcedefinitions"]
  verbs: ["create"]
)";

// In the namespace of the velero.io objects alone.
std::string own_role(const std::string& name_space) {
  return R"(apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: holdfast
  namespace: )" + name_space + R"(
rules:
# Which server answers to the objects, and the credential of the location that points at it.
- apiGroups: ["coordination.k8s.io"]
  resources: ["leases"]
  verbs: ["create", "update", "patch"]
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["create", "patch"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: holdfast
  namespace: )" + name_space + R"(
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: holdfast
subjects:
- kind: ServiceAccount
  name: holdfast
  namespace: )" + name_space + "\n";
}

constexpr const char* kRestoreRules = R"(# Restores write every kind; restoring RBAC takes the right to grant what one does not have.
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["create", "update", "patch", "delete"]
- apiGroups: ["rbac.authorization.k8s.io"]
  resources: ["roles", "clusterroles"]
  verbs: ["escalate", "bind"]
)";

std::string account(const std::string& name_space) {
  return "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + name_space +
         "\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: holdfast\n  namespace: " + name_space +
         "\n---\n# Its token, for the kubeconfig: kubectl -n " + name_space + " get secret holdfast-token -o jsonpath='{.data.token}'" +
         "\napiVersion: v1\nkind: Secret\nmetadata:\n  name: holdfast-token\n  namespace: " + name_space +
         "\n  annotations:\n    kubernetes.io/service-account.name: holdfast\ntype: kubernetes.io/service-account-token\n";
}

std::string binding(const std::string& name_space) {
  return "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: holdfast\nroleRef:\n"
         "  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: holdfast\nsubjects:\n- kind: ServiceAccount\n"
         "  name: holdfast\n  namespace: " + name_space + "\n";
}

}  // namespace

std::string rbac_manifest(bool backup_only, const std::string& name_space) {
  return account(name_space) + "---\n" + kRole + (backup_only ? "" : kRestoreRules) + "---\n" + own_role(name_space) + "---\n" + binding(name_space);
}

}  // namespace holdfast
