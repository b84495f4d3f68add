// What an API server offers, each resource once, in its preferred version.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "k8s/client/api_client.h"

namespace holdfast::k8s {

// A group version that could not be asked about: its aggregated server is down.
struct MissingGroup {
  std::string group_version;
  std::string reason;
};

class Discovery {
 public:
  // Aggregated discovery where the server has it (1.26 and later), else group by group.
  static Result<Discovery> read(ApiClient& client);

  // Those that can be listed: core first, then groups as the server orders them; no subresources.
  const std::vector<ApiResource>& resources() const { return resources_; }
  const std::vector<MissingGroup>& missing() const { return missing_; }

  // "deployments.apps", "deployments", "deploy", "deployment" or "Deployment": the one that is first in order.
  const ApiResource* find(std::string_view name) const;
  // "deployments.apps", by exactly this name.
  const ApiResource* find_group_resource(std::string_view group_resource) const;
  // In exactly this version; nullptr where the server does not serve it.
  const ApiResource* find_version(std::string_view group_resource, std::string_view version) const;
  const ApiResource* find_kind(std::string_view api_version, std::string_view kind) const;

  // For tests: reads the two documents of aggregated discovery.
  Result<void> add_aggregated(std::string_view document);

 private:
  void add_groups(const boost::json::object& aggregated);
  Result<void> add_group_versions(ApiClient& client);
  Result<void> add_legacy(const std::string& group, const std::string& version, std::string_view document);

  void add(ApiResource resource);

  std::vector<ApiResource> resources_;
  std::vector<ApiResource> other_versions_;  // of kinds that are in resources_
  std::vector<MissingGroup> missing_;
};

}  // namespace holdfast::k8s
