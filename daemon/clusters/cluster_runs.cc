#include "daemon/clusters/cluster_runs.h"

namespace holdfast {

namespace {

// What one run needs while it waits and goes on.
template <typename Run, typename Progress>
struct Task {
  k8s::ClusterAccess access;
  Run asked;
  k8s::EngineServices services;
  Progress progress;
};
using BackupTask = Task<k8s::BackupRun, k8s::BackupProgress>;
using RestoreTask = Task<k8s::RestoreRun, k8s::RestoreProgress>;

k8s::BackupOutcome run_engine(BackupTask& t, std::stop_token stop) {
  const k8s::BackupRun& a = t.asked;
  if (a.by_other) return a.by_other(a.place, a.order, t.progress, std::move(stop));
  return k8s::back_up(t.access, a.place, a.order, t.services, t.progress, std::move(stop));
}

k8s::RestoreOutcome run_engine(RestoreTask& t, std::stop_token stop) {
  return k8s::restore(t.access, t.asked.place, t.asked.order, t.services, t.progress, std::move(stop));
}

void add_to(JobEnd& end, const BackupTask&, const k8s::BackupOutcome& o) { end.recorded = o.phase == "Completed" || o.phase == "PartiallyFailed"; }

void add_to(JobEnd& end, const RestoreTask& t, const k8s::RestoreOutcome& o) {
  end.status.total = o.total;
  end.status.lacks = o.lacks;
  end.status.plan = o.plan;
  end.status.planned = t.asked.order.plan;
  // What the record cannot say has to be shown from here.
  end.recorded = !t.asked.order.plan && o.lacks.empty() && o.validation_errors.empty() && static_cast<bool>(k8s::restore_document(t.asked.place, t.asked.order.name));
}

template <typename AnyTask>
JobEnd run(AnyTask& t, std::stop_token stop) {
  const Result<void> may = t.asked.begin ? t.asked.begin() : Result<void>();
  decltype(run_engine(t, stop)) o;
  if (may) {
    o = run_engine(t, std::move(stop));
  } else {
    o.phase = "Failed";
    o.failure_reason = may.error().message();
  }
  JobEnd end;
  end.status.phase = o.phase;
  end.status.failure_reason = o.failure_reason;
  end.status.items = o.items;
  end.status.warnings = o.warnings;
  end.status.errors = o.errors;
  end.status.validation_errors = o.validation_errors;
  add_to(end, t, o);
  if (t.asked.end) t.asked.end(std::move(o));
  return end;
}

template <typename AnyTask>
std::shared_ptr<AnyTask> task_of(const RegisteredCluster& cluster, k8s::EngineServices services, decltype(AnyTask::asked) asked) {
  auto task = std::make_shared<AnyTask>();
  task->access = cluster.access;
  task->asked = std::move(asked);
  task->services = services;
  return task;
}

template <typename AnyTask>
Job job_of(const std::shared_ptr<AnyTask>& task) {
  Job job;
  job.name = task->asked.order.name;
  job.place = {task->asked.place.bucket, task->asked.place.prefix};
  job.run = [task](std::stop_token stop) { return run(*task, std::move(stop)); };
  return job;
}

}  // namespace

Result<std::shared_ptr<const k8s::BackupProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::BackupRun run, bool urgent) {
  const auto task = task_of<BackupTask>(cluster, services, std::move(run));
  Job job = job_of(task);
  job.urgent = urgent;
  // What lies elsewhere may not be reached at the next start, and is no restore point without its velero-backup.json.
  job.leaves_traces = !task->asked.by_other && task->asked.place.elsewhere == nullptr;
  job.show_progress = [task](RunStatus& s) { s.items = task->progress.items; };
  HF_CHECK(lines.start(cluster.status.name, std::move(job)));
  return std::shared_ptr<const k8s::BackupProgress>(task, &task->progress);
}

Result<std::shared_ptr<const k8s::RestoreProgress>> line_up(JobLines& lines, const RegisteredCluster& cluster, k8s::EngineServices services, k8s::RestoreRun run) {
  const auto task = task_of<RestoreTask>(cluster, services, std::move(run));
  Job job = job_of(task);
  job.leaves_traces = !task->asked.order.plan && task->asked.place.elsewhere == nullptr;
  job.show_progress = [task](RunStatus& s) {
    s.items = task->progress.items;
    s.total = task->progress.total;
    s.planned = task->asked.order.plan;
  };
  HF_CHECK(lines.start(cluster.status.name, std::move(job)));
  return std::shared_ptr<const k8s::RestoreProgress>(task, &task->progress);
}

}  // namespace holdfast
