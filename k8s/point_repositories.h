// Where the data of a restore point's volumes lies that Velero's node agent saved.
#pragma once

#include <string>
#include <vector>

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

// The repositories that hold it, sorted, relative to the place's prefix: "kopia/NAMESPACE", one for each namespace whose volumes
// were saved; empty where none was. From B-volumeinfo.json, or for backups before Velero 1.13 the lists beside it. Blocks.
// kCorrupt: they cannot be read; kUnimplemented: some of the data is in a repository of another kind.
Result<std::vector<std::string>> repositories_of(const BackupPlace& place, const std::string& backup);

}  // namespace holdfast::k8s
