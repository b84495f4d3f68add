// Restore objects: from New to their end, and what lies in the bucket of them when they are deleted.
#pragma once

#include "k8s/spec/restore_spec.h"
#include "k8s/velero/locations.h"
#include "k8s/velero/run_book.h"
#include "k8s/velero/strangers.h"

namespace holdfast::k8s {

class RestoreController final : public Controller {
 public:
  RestoreController(const ServerContext& context, const Locations& locations) : c_(context), locations_(locations) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  struct Run {
    std::string uid;
    std::shared_ptr<const RestoreProgress> progress;
    bool began = false;
    uint64_t shown_items = 0;
    std::optional<RestoreOutcome> outcome;
  };

  Result<LookAgain> accept(const ObjectRef& restore);
  // Fills in what Velero fills in: the backup of a schedule, the schedule of a backup.
  std::optional<Location> complete(RestoreSpec& spec, std::vector<std::string>& problems) const;
  std::string latest_of(const std::string& schedule, std::vector<std::string>& problems) const;
  Result<void> start(const ObjectRef& restore, const Location& location, const json::object& spec);
  // On the run's thread.
  Result<void> begin(const std::string& name);
  void end(const std::string& name, RestoreOutcome outcome);

  Result<LookAgain> follow(const ObjectRef& restore, Run run);
  Result<LookAgain> finish(const ObjectRef& restore, const Run& run);
  Result<LookAgain> settle(const ObjectRef& restore);
  Result<LookAgain> release(const ObjectRef& restore);

  const ServerContext& c_;
  const Locations& locations_;
  RunBook<Run> runs_;
  Strangers strangers_;
};

// The finalizers of an object without ours; nothing where it does not bear it.
std::optional<json::array> finalizers_without_ours(const json::object& restore);

}  // namespace holdfast::k8s
