#include "k8s/backup/lister.h"

#include <algorithm>

namespace holdfast::k8s {

namespace {

// More namespaces than this are cheaper to find in one list of the whole cluster.
constexpr size_t kFewNamespaces = 8;

// Pods first, so that their volumes come close behind them.
int rank(const ApiResource& r) {
  if (!r.group.empty()) return 4;
  return r.name == "pods" ? 0 : r.name == "persistentvolumeclaims" ? 1 : r.name == "persistentvolumes" ? 2 : 3;
}

// The same objects under two groups are taken once, from the group that comes first.
bool is_twin(const ApiResource& a, const ApiResource& b) {
  if (a.name != b.name || a.group == b.group) return false;
  const auto either = [&](std::string_view x, std::string_view y) { return (a.group == x && b.group == y) || (a.group == y && b.group == x); };
  if (a.name == "events") return either("", "events.k8s.io");
  if (a.name == "networkpolicies") return either("extensions", "networking.k8s.io");
  return (a.name == "deployments" || a.name == "daemonsets" || a.name == "replicasets") && either("extensions", "apps");
}

}  // namespace

std::vector<const ApiResource*> Lister::kinds() const {
  std::vector<const ApiResource*> out;
  for (const ApiResource& r : discovery_.resources()) {
    // What cannot be made cannot be restored: views of the server's own, such as component statuses.
    const bool lasting = r.can("get") && r.can("create") && r.can("delete");
    if (r.group_resource() == "namespaces" || !lasting || !filter_.collects(r)) continue;
    const bool twin = std::any_of(out.begin(), out.end(), [&](const ApiResource* o) { return is_twin(*o, r); });
    if (!twin) out.push_back(&r);
  }
  std::stable_sort(out.begin(), out.end(), [](const ApiResource* a, const ApiResource* b) { return rank(*a) < rank(*b); });
  return out;
}

std::vector<std::string> Lister::selectors() const {
  std::vector<std::string> out;
  for (const LabelSelector& s : spec_.labels.any) out.push_back(s.text());
  if (out.empty()) out.push_back(spec_.labels.all ? spec_.labels.all->text() : std::string());
  return out;
}

void Lister::run() {
  for (const ApiResource* kind : kinds()) {
    auto done = list_kind(*kind);
    if (done) continue;
    if (queue_.abandoned()) break;
    log_.error("", "resource: /" + kind->group_resource() + " message: /" + done.error().message());
    // One API may be down alone. Without the server itself every further kind would wait as long in vain.
    if (!done.error().retryable()) continue;
    if (auto there = client_.probe(); !there) {
      failure_ = there.error();
      break;
    }
  }
  queue_.finish();
}

Result<void> Lister::list_ordered(const ApiResource& r, const std::vector<std::string>& names) {
  for (const std::string& full : names) {
    const size_t slash = full.find('/');
    const std::string name_space = slash == std::string::npos ? "" : full.substr(0, slash);
    const auto item = client_.get(r.path(name_space, slash == std::string::npos ? full : full.substr(slash + 1)));
    if (item) {
      HF_CHECK(queue_.push(r, *item, true));
    } else {
      log_.warning(name_space, "resource: /" + r.group_resource() + " name: /" + full + " message: /orderedResources names it, and it cannot be read: " + item.error().message());
    }
  }
  return {};
}

Result<void> Lister::list_kind(const ApiResource& r) {
  if (const auto order = spec_.ordered_resources.find(r.name); order != spec_.ordered_resources.end()) {
    HF_CHECK(list_ordered(r, order->second));
  }
  std::vector<std::string> collections;
  if (r.namespaced && !filter_.every_namespace() && namespaces_.size() <= kFewNamespaces) {
    for (const std::string& name : namespaces_) collections.push_back(r.path(name));
  } else {
    collections.push_back(r.path());
  }
  size_t found = 0;
  const auto on_item = [&](std::string_view item) -> Result<void> {
    ++found;
    return queue_.push(r, item);
  };
  for (const std::string& collection : collections) {
    for (const std::string& selector : selectors()) {
      HF_TRY(const ListResult listed, client_.list(collection, {selector, ""}, on_item));
      if (listed.inconsistent) log_.info(r.group_resource() + ": the list took longer than the server keeps one state; later pages are newer");
    }
  }
  if (found > 0) log_.info("Listed " + std::to_string(found) + " " + r.group_resource());
  return {};
}

}  // namespace holdfast::k8s
