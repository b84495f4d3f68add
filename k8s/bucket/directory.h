// Directories of a cluster's place in a bucket.
#pragma once

#include "k8s/backup_engine.h"

namespace holdfast::k8s {

// Files of a restore point's directory.
inline constexpr const char* kRestorePointDocument = "velero-backup.json";
inline constexpr const char* kEvidenceFile = "holdfast-evidence.json";  // Velero ignores it

// Names of those right below `root`: "backups/", "restores/".
Result<std::vector<std::string>> directories(const BackupPlace& place, const std::string& root);
Result<void> remove_object(const BackupPlace& place, const std::string& key);
// Everything below a key that ends with a slash, unfinished uploads too.
Result<void> remove_directory(const BackupPlace& place, const std::string& key);

}  // namespace holdfast::k8s
