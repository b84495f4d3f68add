#include "k8s/spec/resource_names.h"

namespace holdfast::k8s {

std::vector<std::string> resolved(const std::vector<std::string>& names, const Discovery& discovery, Scope scope) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const ApiResource* r = discovery.find(name);
    if (r == nullptr) {
      out.push_back(name);
    } else if (scope == Scope::kAny || r->namespaced == (scope == Scope::kNamespaced)) {
      out.push_back(r->group_resource());
    }
  }
  return out;
}

NameLists resolved(const NameLists& lists, const Discovery& discovery, Scope scope) {
  return {resolved(lists.included, discovery, scope), resolved(lists.excluded, discovery, scope)};
}

}  // namespace holdfast::k8s
