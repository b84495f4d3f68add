#include "daemon/clusters/cluster_runs.h"

namespace holdfast {

namespace {

// What one backup needs while it waits and runs.
struct BackupTask {
  k8s::ClusterAccess access;
  k8s::BackupRun asked;
  k8s::EngineServices services;
  k8s::BackupProgress progress;

  k8s::BackupOutcome outcome(std::stop_token stop) {
    if (asked.begin) {
      if (auto may = asked.begin(); !may) {
        k8s::BackupOutcome o;
        o.phase = "Failed";
        o.failure_reason = may.error().message();
        return o;
      }
    }
    if (asked.by_other) return asked.by_other(asked.place, asked.order, progress, std::move(stop));
    return k8s::back_up(access, asked.place, asked.order, services, progress, std::move(stop));
  }

  JobEnd run(std::stop_token stop) {
    k8s::BackupOutcome o = outcome(std::move(stop));
    JobEnd end;
    end.status.phase = o.phase;
    end.status.failure_reason = o.failure_reason;
    end.status.items = o.items;
    end.status.warnings = o.warnings;
    end.status.errors = o.errors;
    end.status.validation_errors = o.validation_errors;
    end.recorded = o.phase == "Completed" || o.phase == "PartiallyFailed";
    if (asked.end) asked.end(std::move(o));
    return end;
  }
};

// What one restore needs while it waits and runs.
struct RestoreTask {
  k8s::ClusterAccess access;
  k8s::RestoreRun asked;
  k8s::EngineServices services;
  k8s::RestoreProgress progress;

  k8s::RestoreOutcome outcome(std::stop_token stop) {
    if (asked.begin) {
      if (auto may = asked.begin(); !may) {
        k8s::RestoreOutcome o;
        o.phase = "Failed";
        o.failure_reason = may.error().message();
        return o;
      }
    }
    return k8s::restore(access, asked.place, asked.order, services, progress, std::move(stop));
  }

  JobEnd run(std::stop_token stop) {
    k8s::RestoreOutcome o = outcome(std::move(stop));
    JobEnd end;
    end.status.phase = o.phase;
    end.status.failure_reason = o.failure_reason;
    end.status.items = o.items;
    end.status.total = o.total;
    end.status.warnings = o.warnings;
    end.status.errors = o.errors;
    end.status.validation_errors = o.validation_errors;
    end.status.lacks = o.lacks;
    end.status.plan = o.plan;
    end.status.planned = asked.order.plan;
    // What the record cannot say has to be shown from here.
    end.recorded = !asked.order.plan && o.lacks.empty() && o.validation_errors.empty() && static_cast<bool>(k8s::restore_document(asked.place, asked.order.name));
    if (asked.end) asked.end(std::move(o));
    return end;
  }
};

template <typename Task, typename Run>
std::shared_ptr<Task> task_of(const RegisteredCluster& cluster, k8s::EngineServices services, Run run) {
  auto task = std::make_shared<Task>();
  task->access = cluster.access;
  task->asked = std::move(run);
  task->services = services;
  return task;
}

}  // namespace

Result<std::shared_ptr<const k8s::BackupProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::BackupRun run) {
  const auto task = task_of<BackupTask>(cluster, services, std::move(run));
  Job job;
  job.name = task->asked.order.name;
  job.place = {task->asked.place.bucket, task->asked.place.prefix};
  job.leaves_traces = !task->asked.by_other;
  job.run = [task](std::stop_token stop) { return task->run(std::move(stop)); };
  job.show_progress = [task](RunStatus& s) { s.items = task->progress.items; };
  HF_CHECK(lines.start(cluster.status.name, std::move(job)));
  return std::shared_ptr<const k8s::BackupProgress>(task, &task->progress);
}

Result<std::shared_ptr<const k8s::RestoreProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::RestoreRun run) {
  const auto task = task_of<RestoreTask>(cluster, services, std::move(run));
  Job job;
  job.name = task->asked.order.name;
  job.place = {task->asked.place.bucket, task->asked.place.prefix};
  job.leaves_traces = !task->asked.order.plan;
  job.run = [task](std::stop_token stop) { return task->run(std::move(stop)); };
  job.show_progress = [task](RunStatus& s) {
    s.items = task->progress.items;
    s.total = task->progress.total;
    s.planned = task->asked.order.plan;
  };
  HF_CHECK(lines.start(cluster.status.name, std::move(job)));
  return std::shared_ptr<const k8s::RestoreProgress>(task, &task->progress);
}

}  // namespace holdfast
