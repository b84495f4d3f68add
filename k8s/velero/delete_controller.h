// DeleteBackupRequests: the one way in which an object of the cluster makes a restore point go.
#pragma once

#include "k8s/velero/backup_controller.h"

namespace holdfast::k8s {

class DeleteController final : public Controller {
 public:
  DeleteController(const ServerContext& context, const Locations& locations, const BackupController& backups)
      : c_(context), locations_(locations), backups_(backups) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  // Why it may not be; empty: it may.
  std::string refusal(const ObjectRef& backup, const std::string& backup_name) const;
  std::string lock_of(const std::string& backup_name) const;
  Result<void> remove_others(const std::string& name, const std::string& backup_name) const;
  Result<LookAgain> work(const ObjectRef& request, const ObjectRef& backup);
  Result<LookAgain> answer(const std::string& name, const std::vector<std::string>& errors) const;

  const ServerContext& c_;
  const Locations& locations_;
  const BackupController& backups_;
};

}  // namespace holdfast::k8s
