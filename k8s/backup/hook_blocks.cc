#include "k8s/backup/hook_blocks.h"

#include "k8s/backup/related_items.h"

namespace holdfast::k8s {

namespace {

std::vector<std::string> claims_of(const json::object& pod) {
  std::vector<std::string> out;
  for (const ItemRef& item : related_items("pods", pod, {})) {
    if (item.group_resource == "persistentvolumeclaims") out.push_back(item.name_space + "/" + item.name);
  }
  return out;
}

}  // namespace

size_t HookBlocks::group_of(const std::string& claim) {
  const auto [found, fresh] = by_claim_.emplace(claim, parent_.size());
  if (fresh) parent_.push_back(found->second);
  return found->second;
}

size_t HookBlocks::root(size_t group) {
  while (parent_[group] != group) group = parent_[group] = parent_[parent_[group]];
  return group;
}

void HookBlocks::join(size_t a, size_t b) { parent_[root(a)] = root(b); }

std::optional<size_t> HookBlocks::group_of_pod(const json::object& pod) {
  const std::vector<std::string> claims = claims_of(pod);
  for (const std::string& claim : claims) join(group_of(claim), group_of(claims.front()));
  return claims.empty() ? std::nullopt : std::optional(group_of(claims.front()));
}

void HookBlocks::note(const json::object& pod) { (void)group_of_pod(pod); }

void HookBlocks::add(const json::object& pod, bool ordered) {
  const json::object& metadata = object_at(pod, "metadata");
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  if (!known_.insert(name_space + "/" + name).second) return;
  const auto shared = group_of_pod(pod);
  const size_t group = shared.value_or(parent_.size());
  if (!shared) parent_.push_back(group);
  if (ordered && !ordered_) ordered_ = group;
  if (ordered) join(group, *ordered_);
  hooked_.push_back({{"pods", name_space, name}, group});
}

std::vector<std::vector<ItemRef>> HookBlocks::blocks() {
  std::vector<std::vector<ItemRef>> out;
  std::map<size_t, size_t> at;  // by root
  for (Hooked& h : hooked_) {
    const auto [found, fresh] = at.emplace(root(h.group), out.size());
    if (fresh) out.emplace_back();
    out[found->second].push_back(std::move(h.pod));
  }
  hooked_.clear();
  return out;
}

}  // namespace holdfast::k8s
