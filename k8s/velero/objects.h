// The velero.io objects of one namespace: what they are, and changes to them while this appliance is their server.
#pragma once

#include <functional>
#include <set>

#include "k8s/velero/object_watch.h"
#include "k8s/velero/ownership.h"

namespace holdfast::k8s {

// Thread-safe.
class Objects {
 public:
  // `on_change` on the threads of the watches.
  using OnChange = std::function<void(Kind kind, const std::string& name)>;
  Objects(ApiClient& client, std::string name_space, Ownership& ownership, OnChange on_change);

  void start();
  void stop();
  // Has every kind been listed?
  bool are_complete() const;

  ObjectRef find(Kind kind, const std::string& name) const { return watch(kind).find(name); }
  std::vector<ObjectRef> all(Kind kind) const { return watch(kind).all(); }

  // Backups that bear the label of a schedule.
  std::vector<ObjectRef> backups_of(const std::string& schedule) const;

  // Each asks first whether this appliance is still the server, see Ownership::confirm().
  // Merge patch of the main resource: these kinds have no status of their own. `only_if`: as it was then, or
  // kFailedPrecondition.
  Result<ObjectRef> patch(Kind kind, const std::string& name, json::object patch, const ObjectRef& only_if = nullptr);
  Result<void> create(Kind kind, const json::object& object);
  // One that is not there is a success.
  Result<void> remove(Kind kind, const std::string& name);

  const std::string& name_space() const { return name_space_; }

 private:
  ObjectWatch& watch(Kind kind) const { return *watches_[static_cast<size_t>(kind)]; }
  void changed(Kind kind, const std::string& name, const ObjectRef& before, const ObjectRef& now);
  std::string path(Kind kind, const std::string& name) const { return collection_of(kind, name_space_) + "/" + name; }

  ApiClient& client_;
  const std::string name_space_;
  Ownership& ownership_;
  const OnChange on_change_;
  std::mutex mutex_;
  std::set<std::string> writing_;  // "uid phase": what this server is writing, or may have written
  std::set<std::string> written_;  // "uid version": what it has written
  std::array<std::unique_ptr<ObjectWatch>, kAllKinds.size()> watches_;
};

}  // namespace holdfast::k8s
