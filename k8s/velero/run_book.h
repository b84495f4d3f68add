// The runs of this process that objects of one kind asked for, from their place in line until their end stands in the
// object.
#pragma once

#include "k8s/velero/server_context.h"

namespace holdfast::k8s {

// `OneRun` has `uid`, of the object, `began`, `progress` and `outcome`. Thread-safe.
template <typename OneRun>
class RunBook {
 public:
  std::optional<OneRun> find(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(name);
    return found == runs_.end() ? std::nullopt : std::optional<OneRun>(found->second);
  }
  void open(const std::string& name, OneRun run) {
    std::lock_guard lock(mutex_);
    runs_[name] = std::move(run);
  }
  void forget(const std::string& name) {
    std::lock_guard lock(mutex_);
    runs_.erase(name);
  }
  // What `change` answers; false where there is no such run.
  template <typename Change>
  bool change(const std::string& name, Change change) {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(name);
    return found != runs_.end() && change(found->second);
  }
  std::vector<std::string> waiting() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, run] : runs_) {
      if (!run.began) names.push_back(name);
    }
    return names;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, OneRun> runs_;
};

// Is the run about this object, and not about another of its name?
template <typename OneRun>
bool is_about(const OneRun& run, const json::object& object) {
  return run.uid == view_at(metadata_of(object), "uid");
}

// Has the run call back as long as the server lives.
template <typename Asked, typename Begin, typename End>
void call_back(Asked& run, std::shared_ptr<RunGate> gate, Begin begin, End end) {
  run.begin = [gate, begin] {
    return gate->through(error(Code::kUnavailable, "the server of the velero.io objects ended before it began"), [&]() -> Result<void> { return begin(); });
  };
  run.end = [gate, end](auto outcome) {
    gate->through(false, [&] {
      end(std::move(outcome));
      return true;
    });
  };
}

// Another's, or not there any more: whoever serves the object says what has become of it.
inline bool is_given_up(const Result<ObjectRef>& patched) {
  return !patched && (patched.error().code() == Code::kFailedPrecondition || patched.error().code() == Code::kNotFound);
}

}  // namespace holdfast::k8s
