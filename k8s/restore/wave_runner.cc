#include "k8s/restore/wave_runner.h"

#include <array>

#include "k8s/restore/side_by_side.h"

namespace holdfast::k8s {

namespace {

constexpr std::array kSoon{std::chrono::milliseconds(250), std::chrono::milliseconds(1'000), std::chrono::milliseconds(3'000)};

// At the end.
bool is_tried_again(const std::string& group_resource) {
  return group_resource != "pods" && group_resource != "replicasets.apps" && group_resource != "jobs.batch";
}

}  // namespace

void WaveRunner::run(const std::vector<std::string>& group_resources) {
  std::vector<Task> tasks;
  for (const std::string& name : group_resources) {
    const auto kind = p_.source->kinds().find(name);
    if (kind == p_.source->kinds().end()) continue;
    for (const SourceItem& item : kind->second.items) {
      if (item.chosen) tasks.push_back({&kind->first, &item});
    }
  }
  run_all(std::move(tasks), false);
  for (size_t i = 0; i < kSoon.size() && !failed_soon_.empty() && p_.pause(kSoon[i]); ++i) run_all(std::exchange(failed_soon_, {}), i + 1 == kSoon.size());
}

void WaveRunner::run_failed_again() { run_all(std::exchange(failed_, {}), true); }

void WaveRunner::run_all(std::vector<Task> tasks, bool last_try) {
  side_by_side(tasks.size(), [&](size_t at) {
    if (!stop_.stop_requested() && !given_up()) run_one(tasks[at], last_try);
  });
}

std::optional<Status> WaveRunner::given_up() {
  std::lock_guard lock(mutex_);
  return given_up_;
}

void WaveRunner::run_one(Task& task, bool last_try) {
  ItemResult result;
  result.target = {*task.group_resource, p_.target_namespace(task.item->name_space()), task.item->name()};
  result.why = p_.namespace_problem(task.item->name_space());
  if (result.why.empty()) {
    auto object = p_.source->load(*task.item);
    if (object) {
      result = p_.writer->write(*task.group_resource, std::move(*object));
    } else {
      result.why = object.error().message();
      last_try = true;
    }
  } else {
    last_try = true;
  }
  const bool failed = result.action == ItemAction::kFailed;
  if (result.unreachable) {
    if (auto answer = p_.probe(); !answer) {
      std::lock_guard lock(mutex_);
      given_up_ = std::move(answer.error());
    }
  }
  if (failed && !last_try) {
    std::lock_guard lock(mutex_);
    (is_tried_again(*task.group_resource) ? failed_ : failed_soon_).push_back(std::move(task));
    return;
  }
  p_.report->add(std::move(result));
  ++*p_.items;
}

}  // namespace holdfast::k8s
