// Schedules: make a Backup object when their time has come.
#pragma once

#include "k8s/velero/server_context.h"

namespace holdfast::k8s {

class ScheduleController final : public Controller {
 public:
  explicit ScheduleController(const ServerContext& context) : c_(context) {}
  Result<LookAgain> reconcile(const std::string& name) override;

 private:
  // Phase, errors, and the answer to skipImmediately.
  Result<ObjectRef> update(const ObjectRef& schedule, const std::string& problem) const;
  bool one_is_running(const std::string& schedule) const;
  // Has one been made since it was due?
  bool was_made(const std::string& schedule, int64_t due_ms) const;
  Result<void> submit(const ObjectRef& schedule, int64_t due_ms) const;

  const ServerContext& c_;
};

KnownSchedule known_schedule(const json::object& schedule, const std::vector<ObjectRef>& backups, int64_t now_ms);

// The Backup object of a schedule at a time: labels of the template, else of the schedule; annotations of the schedule.
json::object scheduled_backup(const json::object& schedule, int64_t unix_ms);

}  // namespace holdfast::k8s
