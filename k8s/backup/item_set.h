// What a backup has taken so far.
#pragma once

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "k8s/client/api_resource.h"
#include "k8s/spec/item_ref.h"

namespace holdfast::k8s {

// Not thread-safe.
class ItemSet {
 public:
  // False: it was there.
  bool add(const ApiResource& resource, const std::string& name_space, const std::string& name);
  bool has(const ItemRef& item) const { return seen_.contains(key_of(item.group_resource, item.name_space, item.name)); }
  size_t size() const { return seen_.size(); }
  // Of the kinds that something was taken of.
  const std::map<std::string, const ApiResource*>& group_resources() const { return group_resources_; }
  // {"apps/v1/Deployment":["shop/web"],...}: B-resource-list.json, names in order.
  std::string resource_list_json();

 private:
  static std::string key_of(const std::string& group_resource, const std::string& name_space, const std::string& name);

  std::unordered_set<std::string> seen_;
  std::map<std::string, const ApiResource*> group_resources_;
  std::map<std::string, std::vector<std::string>> by_kind_;
};

}  // namespace holdfast::k8s
