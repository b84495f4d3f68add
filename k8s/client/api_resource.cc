#include "k8s/client/api_resource.h"

#include "storage/base/text.h"
#include "storage/net/http_types.h"

namespace holdfast::k8s {

bool ApiResource::can(std::string_view verb) const { return contains(verbs, verb); }

std::string ApiResource::path(std::string_view name_space, std::string_view object_name) const {
  std::string p = (group.empty() ? "/api/" : "/apis/") + api_version();
  if (!name_space.empty()) p += "/namespaces/" + percent_encode(name_space, false);
  p += "/" + name;
  if (!object_name.empty()) p += "/" + percent_encode(object_name, false);
  return p;
}

}  // namespace holdfast::k8s
