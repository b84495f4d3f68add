#include "k8s/backup/hook_blocks.h"

#include <algorithm>

namespace holdfast::k8s {

namespace {

std::vector<std::string> claims_of(const json::object& pod) {
  std::vector<std::string> out;
  const std::string name_space = text_at(object_at(pod, "metadata"), "namespace");
  for (const json::value& v : array_at(object_at(pod, "spec"), "volumes")) {
    const json::object* volume = v.if_object();
    if (volume == nullptr) continue;
    const std::string claim = text_at(object_at(*volume, "persistentVolumeClaim"), "claimName");
    if (!claim.empty()) out.push_back(name_space + "/" + claim);
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

void HookBlocks::note(const json::object& pod) {
  const std::vector<std::string> claims = claims_of(pod);
  for (const std::string& claim : claims) join(group_of(claim), group_of(claims.front()));
}

void HookBlocks::add(const json::object& pod, bool ordered) {
  const json::object& metadata = object_at(pod, "metadata");
  const std::string name = text_at(metadata, "name"), name_space = text_at(metadata, "namespace");
  if (!known_.insert(name_space + "/" + name).second) return;
  note(pod);
  const std::vector<std::string> claims = claims_of(pod);
  const size_t group = claims.empty() ? parent_.size() : group_of(claims.front());
  if (claims.empty()) parent_.push_back(group);
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
