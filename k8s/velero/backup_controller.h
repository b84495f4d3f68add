// Backup objects: from New to their end, one at a time a cluster, and away when their time is up.
#pragma once

#include "k8s/velero/locations.h"
#include "k8s/velero/run_book.h"
#include "k8s/velero/strangers.h"

namespace holdfast::k8s {

class BackupController final : public Controller {
 public:
  BackupController(const ServerContext& context, const Locations& locations) : c_(context), locations_(locations) {}
  Result<LookAgain> reconcile(const std::string& name) override;
  // Nobody may ask for this backup's deletion now.
  bool is_busy(const std::string& name) const;

 private:
  struct Run {
    std::string uid;
    std::string location;
    std::shared_ptr<const BackupProgress> progress;
    bool began = false;
    uint64_t shown_items = 0;
    size_t shown_position = 0;
    std::optional<BackupOutcome> outcome;
  };

  Result<LookAgain> accept(const ObjectRef& backup);
  std::vector<std::string> problems_of(const json::object& backup, json::object& spec, std::optional<Location>& location) const;
  void check_snapshot_locations(const json::object& spec, std::vector<std::string>& problems) const;
  Result<void> start(const ObjectRef& backup, const Location& location, const json::object& spec);
  // On the run's thread.
  Result<void> begin(const std::string& name);
  void end(const std::string& name, BackupOutcome outcome);

  Result<LookAgain> follow(const ObjectRef& backup, Run run);
  Result<LookAgain> finish(const ObjectRef& backup, const Run& run);
  // One that is under way and that no run of this process is about.
  Result<LookAgain> settle(const ObjectRef& backup);
  Result<LookAgain> expire(const ObjectRef& backup) const;

  const ServerContext& c_;
  const Locations& locations_;
  RunBook<Run> runs_;
  Strangers strangers_;
};

}  // namespace holdfast::k8s
