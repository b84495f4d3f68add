// The objects of one kind as the API server has them, kept up to date by list and watch:
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "k8s/client/api_client.h"
#include "k8s/velero/kinds.h"

namespace holdfast::k8s {

// Thread-safe. Its end takes up to a second, unless the client was stopped before.
class ObjectWatch {
 public:
  // `before` is null for an object that is new or was not known, `now` for one that is gone. On the watch's thread.
  using OnChange = std::function<void(const std::string& name, const ObjectRef& before, const ObjectRef& now)>;

  ObjectWatch(ApiClient& client, std::string collection, OnChange on_change)
      : client_(client), collection_(std::move(collection)), on_change_(std::move(on_change)) {}
  ~ObjectWatch() { stop(); }

  void start();
  void stop();

  // nullptr where there is none.
  ObjectRef find(const std::string& name) const;
  std::vector<ObjectRef> all() const;
  // Has it been listed whole?
  bool is_complete() const;

  // What a call of ours got back, so that nobody acts upon what was before it.
  void note(const ObjectRef& object);

 private:
  void work(const std::stop_token& stop);
  Result<std::string> list();
  Result<void> follow(std::string& version);
  Result<void> take(WatchEvent event, std::string& version);
  void put(const std::string& name, ObjectRef now);
  void tell(const Result<void>& outcome);

  ApiClient& client_;
  const std::string collection_;
  const OnChange on_change_;
  mutable std::mutex mutex_;
  std::map<std::string, ObjectRef> objects_;
  bool complete_ = false;
  std::string told_;  // what went wrong last: said once
  std::jthread thread_;
};

}  // namespace holdfast::k8s
