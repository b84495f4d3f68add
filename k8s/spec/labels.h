// The labels that velero.io objects, and what was restored, bear.
#pragma once

#include <string>

namespace holdfast::k8s {

inline constexpr const char* kScheduleLabel = "velero.io/schedule-name";
inline constexpr const char* kLocationLabel = "velero.io/storage-location";
inline constexpr const char* kBackupNameLabel = "velero.io/backup-name";
inline constexpr const char* kBackupUidLabel = "velero.io/backup-uid";
inline constexpr const char* kRestoreNameLabel = "velero.io/restore-name";
// "true": backups leave the object out; on a namespace, with everything in it.
inline constexpr const char* kExcludeLabel = "velero.io/exclude-from-backup";

// A name as a label's value.
// Over 63 characters: the first 57, and 6 of the SHA-256 in hexadecimal (Velero: pkg/label/label.go).
std::string label_value(const std::string& name);

}  // namespace holdfast::k8s
