// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
#include "k8s/client/discovery.h"

#include <algorithm>

#include "k8s/client/json_access.h"
#include "storage/base/text.h"

namespace holdfast::k8s {

namespace {

constexpr const char* kAggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

}  // namespace

Result<Discovery> Discovery::read(ApiClient& client) {
  Discovery d;
  for (const char* root : {"/api", "/apis"}) {
    HF_TRY(const std::string document, client.call("GET", root, {}, {}, kAggregated));
    HF_TRY(const json::object parsed, parse_object(document));
    if (view_at(parsed, "kind") != "APIGroupDiscoveryList") {
      d = Discovery();
      HF_CHECK(d.add_group_versions(client));
      return d;
    }
    d.add_groups(parsed);
  }
  return d;
}

// Versions come in order of preference.
void Discovery::add(ApiResource a) {
  const bool known = std::any_of(resources_.begin(), resources_.end(), [&](const ApiResource& x) { return x.group == a.group && x.name == a.name; });
  (known ? other_versions_ : resources_).push_back(std::move(a));
}

Result<void> Discovery::add_aggregated(std::string_view document) {
  HF_TRY(const json::object root, parse_object(document));
  add_groups(root);
  return {};
}

void Discovery::add_groups(const json::object& root) {
  for (const json::value& g : array_at(root, "items")) {
    if (!g.is_object()) continue;
    const std::string group = text_at(object_at(g.get_object(), "metadata"), "name");
    for (const json::value& v : array_at(g.get_object(), "versions")) {
      if (!v.is_object()) continue;
      const json::object& version = v.get_object();
      const std::string name = text_at(version, "version");
      if (text_at(version, "freshness") == "Stale") {
        missing_.push_back({group.empty() ? name : group + "/" + name, "its server does not answer"});
      }
      for (const json::value& r : array_at(version, "resources")) {
        if (!r.is_object()) continue;
        const json::object& resource = r.get_object();
        ApiResource a{group, name, text_at(resource, "resource"), text_at(object_at(resource, "responseKind"), "kind"),
                      text_at(resource, "singularResource"), texts_at(resource, "shortNames"), texts_at(resource, "verbs"),
                      text_at(resource, "scope") == "Namespaced"};
        if (a.can("list")) add(std::move(a));
      }
    }
  }
}

Result<void> Discovery::add_legacy(const std::string& group, const std::string& version, std::string_view document) {
  HF_TRY(const json::object root, parse_object(document));
  for (const json::value& r : array_at(root, "resources")) {
    if (!r.is_object()) continue;
    const json::object& o = r.get_object();
    ApiResource a{group, version, text_at(o, "name"), text_at(o, "kind"), text_at(o, "singularName"), texts_at(o, "shortNames"),
                  texts_at(o, "verbs"), is_true(o, "namespaced")};
    if (!a.can("list") || a.name.find('/') != std::string::npos) continue;
    add(std::move(a));
  }
  return {};
}

Result<void> Discovery::add_group_versions(ApiClient& client) {
  const auto add = [&](const std::string& group, const std::string& version) -> Result<void> {
    const std::string group_version = group.empty() ? version : group + "/" + version;
    auto document = client.get((group.empty() ? "/api/" : "/apis/") + group_version);
    if (!document) {
      missing_.push_back({group_version, document.error().message()});
      return {};
    }
    return add_legacy(group, version, *document);
  };
  HF_CHECK(add("", "v1"));
  HF_TRY(const std::string groups, client.get("/apis"));
  HF_TRY(const json::object root, parse_object(groups));
  for (const json::value& g : array_at(root, "groups")) {
    if (!g.is_object()) continue;
    const json::object& group = g.get_object();
    std::vector<std::string> versions{text_at(object_at(group, "preferredVersion"), "version")};
    for (const json::value& v : array_at(group, "versions")) {
      const std::string version = v.is_object() ? text_at(v.get_object(), "version") : std::string();
      if (!contains(versions, version)) versions.push_back(version);
    }
    for (const std::string& version : versions) {
      if (!version.empty()) HF_CHECK(add(text_at(group, "name"), version));
    }
  }
  return {};
}

const ApiResource* Discovery::find(std::string_view name) const {
  const std::string wanted = lower(name);
  const size_t dot = wanted.find('.');
  for (const ApiResource& r : resources_) {
    if (dot != std::string::npos) {
      if (r.group == wanted.substr(dot + 1) && (r.name == wanted.substr(0, dot) || r.singular == wanted.substr(0, dot))) return &r;
      continue;
    }
    if (r.name == wanted || r.singular == wanted || lower(r.kind) == wanted || contains(r.short_names, wanted)) return &r;
  }
  return nullptr;
}

const ApiResource* Discovery::find_group_resource(std::string_view group_resource) const {
  const auto found = std::find_if(resources_.begin(), resources_.end(), [&](const ApiResource& r) { return r.group_resource() == group_resource; });
  return found == resources_.end() ? nullptr : &*found;
}

const ApiResource* Discovery::find_version(std::string_view group_resource, std::string_view version) const {
  for (const auto* list : {&resources_, &other_versions_}) {
    for (const ApiResource& r : *list) {
      if (r.version == version && r.group_resource() == group_resource) return &r;
    }
  }
  return nullptr;
}

const ApiResource* Discovery::find_kind(std::string_view api_version, std::string_view kind) const {
  for (const ApiResource& r : resources_) {
    if (r.kind == kind && r.api_version() == api_version) return &r;
  }
  return nullptr;
}

}  // namespace holdfast::k8s
