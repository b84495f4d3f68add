// What a restore leaves in the bucket, under restores/R/ (Velero: pkg/persistence/object_store_layout.go); the Restore
// object itself, which Velero keeps in the cluster only, lies there as well.
#pragma once

#include "k8s/restore/restore_report.h"
#include "k8s/restore_engine.h"

namespace holdfast::k8s {

struct RestoreFiles {
  std::string document, results_json, resource_list_json;
  std::string log;  // packed
};

Result<void> put_restore_document(const BackupPlace& place, const std::string& name, const std::string& document);
Result<void> put_restore_files(const BackupPlace& place, const std::string& name, const RestoreFiles& files);

// The newest Completed restore point of a schedule. kNotFound.
Result<std::string> latest_of_schedule(const BackupPlace& place, const std::string& schedule);

// RestoreOutcome.plan.
std::string plan_json(const RestoreReport& report);

}  // namespace holdfast::k8s
