// Pods with hooks, and which of them are backed up between each other's hooks.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "k8s/client/json_access.h"
#include "k8s/spec/item_ref.h"

namespace holdfast::k8s {

// Pods that mount the same claims, and those that the backup's order names, form a block: all pre hooks run before any
// of its pods is taken, all post hooks after that. Not thread-safe.
class HookBlocks {
 public:
  // A pod without hooks: it may join others by what it mounts.
  void note(const json::object& pod);
  // A pod with hooks. `ordered`: the backup's order names it.
  void add(const json::object& pod, bool ordered);
  // In the order in which their first pods were added. Ends the collecting.
  std::vector<std::vector<ItemRef>> blocks();

 private:
  size_t group_of(const std::string& claim);
  // That of its claims, which it joins; nothing where it has none.
  std::optional<size_t> group_of_pod(const json::object& pod);
  size_t root(size_t group);
  void join(size_t a, size_t b);

  struct Hooked {
    ItemRef pod;
    size_t group;
  };
  std::map<std::string, size_t> by_claim_;  // "namespace/claim"
  std::vector<size_t> parent_;              // of each group
  std::vector<Hooked> hooked_;
  std::set<std::string> known_;             // "namespace/pod"
  std::optional<size_t> ordered_;
};

}  // namespace holdfast::k8s
