// Writes the chosen objects in their order, those of a wave side by side.
#pragma once

#include <atomic>
#include <chrono>
#include <stop_token>

#include "k8s/restore/item_writer.h"
#include "k8s/restore/restore_source.h"

namespace holdfast::k8s {

struct WaveParts {
  const RestoreSource* source = nullptr;
  ItemWriter* writer = nullptr;
  RestoreReport* report = nullptr;
  std::atomic<uint64_t>* items = nullptr;  // counts those that are through
  // Why nothing of a namespace of the backup can be written; empty where it can.
  std::function<std::string(const std::string& name_space)> namespace_problem;
  std::function<std::string(const std::string& name_space)> target_namespace;
  // Does the server answer at all?
  std::function<Result<void>()> probe;
  // False: it is stopped.
  std::function<bool(std::chrono::milliseconds)> pause;
};

class WaveRunner {
 public:
  WaveRunner(WaveParts parts, std::stop_token stop) : p_(std::move(parts)), stop_(std::move(stop)) {}

  // Pods and the like that fail are tried again within seconds: the server's admission knows what was made just before, such as a
  // priority class, only when its caches do (plugin/pkg/admission/priority of Kubernetes).
  void run(const std::vector<std::string>& group_resources);
  // Once more what failed, since what it needed may have come after it; after that a failure is final. Pods and the
  // like are not tried then: their controllers have long made others.
  void run_failed_again();
  // Why it was given up: the server does not answer any more. What was not tried then is not reported.
  std::optional<Status> given_up();

 private:
  struct Task {
    const std::string* group_resource;
    const SourceItem* item;
  };
  void run_all(std::vector<Task> tasks, bool last_try);
  void run_one(Task& task, bool last_try);

  const WaveParts p_;
  const std::stop_token stop_;
  std::mutex mutex_;
  std::vector<Task> failed_, failed_soon_;
  std::optional<Status> given_up_;
};

}  // namespace holdfast::k8s
