#include "k8s/restore/restore_report.h"

#include <boost/json.hpp>

namespace holdfast::k8s {

namespace json = boost::json;

const char* text_of(ItemAction action) {
  switch (action) {
    case ItemAction::kCreated: return "created";
    case ItemAction::kUpdated: return "updated";
    case ItemAction::kSkipped: return "skipped";
    case ItemAction::kLeftOut: return "left out";
    case ItemAction::kFailed: return "failed";
  }
  return "";
}

void RestoreReport::add(ItemResult r) {
  const std::string name = r.target.group_resource + " " + r.target.path();
  const std::string text = name + ": " + text_of(r.action) + (r.why.empty() ? "" : ": " + r.why);
  if (r.action == ItemAction::kFailed) log_.error(r.target.name_space, text);
  else if (r.warning) log_.warning(r.target.name_space, text);
  else log_.info(text);
  std::lock_guard lock(mutex_);
  ++counts_[r.action];
  if (r.action != ItemAction::kLeftOut && !r.kind.empty()) by_kind_[r.kind].insert(r.target.path() + "(" + text_of(r.action) + ")");
  if (items_.size() < keep_items_) items_.push_back(std::move(r));
}

uint64_t RestoreReport::count(ItemAction action) const {
  std::lock_guard lock(mutex_);
  const auto found = counts_.find(action);
  return found == counts_.end() ? 0 : found->second;
}

std::string RestoreReport::resource_list_json() const {
  std::lock_guard lock(mutex_);
  json::object out;
  for (const auto& [kind, names] : by_kind_) out[kind] = json::array(names.begin(), names.end());
  return json::serialize(out);
}

std::vector<ItemResult> RestoreReport::items() const {
  std::lock_guard lock(mutex_);
  return items_;
}

}  // namespace holdfast::k8s
