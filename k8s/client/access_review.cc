#include "k8s/client/access_review.h"

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

std::string Permission::text() const {
  return verb + " " + resource + (subresource.empty() ? "" : "/" + subresource) + (group.empty() ? "" : "." + group);
}

Result<bool> access_allowed(ApiClient& client, const Permission& p) {
  json::object attributes{{"verb", p.verb}, {"group", p.group}, {"resource", p.resource}};
  if (!p.subresource.empty()) attributes["subresource"] = p.subresource;
  if (!p.name_space.empty()) attributes["namespace"] = p.name_space;
  const json::object review{{"apiVersion", "authorization.k8s.io/v1"}, {"kind", "SelfSubjectAccessReview"},
                            {"spec", json::object{{"resourceAttributes", std::move(attributes)}}}};
  HF_TRY(const std::string answer, client.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json::serialize(review)));
  return is_true(object_at(object_or_empty(answer), "status"), "allowed");
}

}  // namespace holdfast::k8s
