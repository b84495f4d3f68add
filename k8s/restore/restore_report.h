// What became of every object of a restore.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "k8s/bucket/run_log.h"
#include "k8s/spec/item_ref.h"

namespace holdfast::k8s {

enum class ItemAction {
  kCreated,
  kUpdated,
  kSkipped,  // it is there already, the same or left as it is
  kLeftOut,  // no cluster wants it back
  kFailed,
};

struct ItemResult {
  ItemAction action = ItemAction::kFailed;
  std::string kind;     // "apps/v1/Deployment"; empty where the cluster has no such kind
  ItemRef target;       // with the namespace it goes to
  std::string why;      // a sentence; empty where the action says it all
  bool warning = false; // of a skip, or beside a creation
  bool unreachable = false;  // it failed because the server did not answer
};

// "created", as Velero's lists have it; "left out".
const char* text_of(ItemAction action);

// Thread-safe.
class RestoreReport {
 public:
  // `keep_items`: how many are kept for items().
  RestoreReport(RunLog& log, size_t keep_items) : log_(log), keep_items_(keep_items) {}

  // Once per object, finally.
  void add(ItemResult result);
  uint64_t count(ItemAction action) const;
  // Created, updated, or there already.
  uint64_t done() const { return count(ItemAction::kCreated) + count(ItemAction::kUpdated) + count(ItemAction::kSkipped); }
  // {"v1/ConfigMap":["shop/cfg(created)"]}: restore-R-resource-list.json.
  std::string resource_list_json() const;
  std::vector<ItemResult> items() const;

 private:
  RunLog& log_;
  const size_t keep_items_;
  mutable std::mutex mutex_;
  std::map<ItemAction, uint64_t> counts_;
  std::map<std::string, std::set<std::string>> by_kind_;
  std::vector<ItemResult> items_;
};

}  // namespace holdfast::k8s
