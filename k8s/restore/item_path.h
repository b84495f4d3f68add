// Paths in the archive of a restore point: resources/RESOURCE.GROUP/namespaces/NS/NAME.json, or .../cluster/NAME.json
// (Velero: pkg/archive/parser.go).
#pragma once

#include <optional>

#include "k8s/spec/item_ref.h"
#include "storage/base/status.h"

namespace holdfast::k8s {

// nullopt: metadata, or the twin of an object under its version. kCorrupt: it has no place in such an archive.
Result<std::optional<ItemRef>> parse_item_path(const std::string& path);

}  // namespace holdfast::k8s
