// Finds the objects of a backup: lists every kind that the filter takes, in Velero's order.
#pragma once

#include "k8s/backup/item_queue.h"
#include "k8s/backup/resource_filter.h"
#include "k8s/bucket/run_log.h"

namespace holdfast::k8s {

// Runs on a thread of its own beside the archive's writer.
class Lister {
 public:
  Lister(ApiClient& client, const Discovery& discovery, const BackupSpec& spec, const ResourceFilter& filter,
         std::vector<std::string> namespaces, RunLog& log, ItemQueue& queue)
      : client_(client), discovery_(discovery), spec_(spec), filter_(filter), namespaces_(std::move(namespaces)), log_(log), queue_(queue) {}

  // A kind that cannot be listed is an error in the log, and the next one follows; a server that is gone ends the run.
  void run();
  // After run(): why it ended early.
  const std::optional<Status>& failure() const { return failure_; }

 private:
  std::vector<const ApiResource*> kinds() const;
  Result<void> list_kind(const ApiResource& resource);
  Result<void> list_ordered(const ApiResource& resource, const std::vector<std::string>& names);
  std::vector<std::string> selectors() const;

  ApiClient& client_;
  const Discovery& discovery_;
  const BackupSpec& spec_;
  const ResourceFilter& filter_;
  const std::vector<std::string> namespaces_;  // those to take; listed one by one where they are few
  RunLog& log_;
  ItemQueue& queue_;
  std::optional<Status> failure_;
};

}  // namespace holdfast::k8s
