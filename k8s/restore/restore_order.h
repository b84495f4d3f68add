// In which order kinds are restored: Velero's (pkg/cmd/server/config/config.go), with parallelism where it says nothing.
#pragma once

#include <string>
#include <vector>

namespace holdfast::k8s {

inline constexpr const char* kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";
inline constexpr const char* kNamespaces = "namespaces";

// Group-resources in waves: those of one wave may be written side by side, a wave begins when the one before has ended.
// Pods, replica sets and deployments each stand alone, or controllers would make what is about to be restored. What
// intercepts requests comes last: its server is among what is being restored.
std::vector<std::vector<std::string>> restore_waves(const std::vector<std::string>& group_resources);

}  // namespace holdfast::k8s
