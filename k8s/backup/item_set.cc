#include "k8s/backup/item_set.h"

#include <algorithm>
#include <boost/json.hpp>

namespace holdfast::k8s {

std::string ItemSet::key_of(const std::string& group_resource, const std::string& name_space, const std::string& name) {
  return group_resource + "/" + name_space + "/" + name;
}

bool ItemSet::add(const ApiResource& r, const std::string& name_space, const std::string& name) {
  const std::string group_resource = r.group_resource();
  if (!seen_.insert(key_of(group_resource, name_space, name)).second) return false;
  group_resources_.emplace(group_resource, &r);
  by_kind_[r.api_version() + "/" + r.kind].push_back(name_space.empty() ? name : name_space + "/" + name);
  return true;
}

std::string ItemSet::resource_list_json() {
  std::string out = "{";
  for (auto& [kind, names] : by_kind_) {
    std::sort(names.begin(), names.end());
    out += (out.size() > 1 ? "," : "") + boost::json::serialize(boost::json::value(kind)) + ":[";
    for (size_t i = 0; i < names.size(); ++i) out += (i > 0 ? "," : "") + boost::json::serialize(boost::json::value(names[i]));
    out += "]";
  }
  return out + "}";
}

}  // namespace holdfast::k8s
