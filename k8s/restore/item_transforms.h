// What is taken off an object before it is written into another cluster, or into the same one at another time
// (Velero: pkg/restore/restore.go and pkg/restore/actions).
#pragma once

#include <functional>
#include <optional>

#include "k8s/client/json_access.h"
#include "k8s/spec/restore_spec.h"

namespace holdfast::k8s {

struct TransformContext {
  const RestoreSpec* spec = nullptr;
  // This persistent volume will not be there: its claim must not ask for it.
  std::function<bool(const std::string& volume)> volume_is_gone;
};

// Why this object of a backup is not written; nullopt where it is. Before transform(), which removes what tells.
std::optional<std::string> left_out(const std::string& group_resource, const json::object& object);

// Removes what a server sets (metadata, status, cluster addresses, automatic node ports, bindings) and moves
// references to other namespaces. Applied to a live object as well, it leaves what can be compared.
void transform(const std::string& group_resource, json::object& object, const TransformContext& context);

// The labels of a restore: velero.io/restore-name and velero.io/backup-name.
void label_as_restored(json::object& object, const std::string& restore, const std::string& backup);

}  // namespace holdfast::k8s
