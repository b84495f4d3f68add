// What a target lacks for a restore, found out before anything is written.
#pragma once

#include "k8s/client/api_client.h"
#include "k8s/restore/restore_source.h"

namespace holdfast::k8s {

struct PreflightInput {
  ApiClient* client = nullptr;
  const Discovery* discovery = nullptr;
  const RestoreSource* source = nullptr;
  const RestoreSpec* spec = nullptr;
  // Persistent volumes that will be there, be it that they are restored.
  std::function<bool(const std::string& volume)> volume_is_gone;
};

// Sentences; empty: nothing is missing. kUnavailable and the like when the target cannot be asked.
// Kinds that it does not serve and no restored definition brings, storage classes, permissions, volume data that is in
// the restore point and cannot be brought back.
Result<std::vector<std::string>> preflight(const PreflightInput& input);

// Kinds that chosen definitions bring: "widgets.acme.example".
std::vector<std::string> kinds_of_definitions(const RestoreSource& source);

}  // namespace holdfast::k8s
