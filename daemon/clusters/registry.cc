#include "daemon/clusters/registry.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "cluster/";

std::string encode(const RegisteredCluster& c) {
  const ClusterStatus& s = c.status;
  return json::serialize(json::object{{"server", s.server}, {"namespace", s.name_space}, {"bucket", s.bucket}, {"prefix", s.prefix},
                                      {"access_key", s.access_key}, {"added_ms", s.added_ms}, {"serve", s.serve}, {"access", k8s::stored_text(c.access)}});
}

Result<RegisteredCluster> decode(const std::string& name, const std::string& text) {
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  const auto broken = [&] { return error(Code::kCorrupt, Subject::kConfig, "the registration of cluster \"" + name + "\" cannot be read"); };
  if (ec || !v.is_object()) return broken();
  const json::object& o = v.get_object();
  RegisteredCluster c;
  c.status.name = name;
  std::string access;
  for (auto [member, key] : {std::pair{&c.status.server, "server"}, {&c.status.name_space, "namespace"}, {&c.status.bucket, "bucket"},
                             {&c.status.prefix, "prefix"}, {&c.status.access_key, "access_key"}, {&access, "access"}}) {
    const json::value* text_value = o.if_contains(key);
    if (text_value == nullptr || !text_value->is_string()) return broken();
    *member = text_value->get_string();
  }
  if (const json::value* added = o.if_contains("added_ms"); added != nullptr && added->is_int64()) c.status.added_ms = added->get_int64();
  if (const json::value* serve = o.if_contains("serve"); serve != nullptr && serve->is_bool()) c.status.serve = serve->get_bool();
  HF_TRY(c.access, k8s::access_from_stored(access));
  return c;
}

}  // namespace

std::vector<ClusterStatus> ClusterRegistry::all() const {
  std::vector<ClusterStatus> out;
  for (const std::string& setting : settings_.setting_names(kPrefix)) {
    if (auto cluster = find(setting.substr(kPrefix.size()))) out.push_back(std::move(cluster->status));
  }
  return out;
}

Result<RegisteredCluster> ClusterRegistry::find(const std::string& name) const {
  const auto text = settings_.setting(kPrefix + name);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "no cluster \"" + name + "\"");
  if (!text) return std::unexpected(text.error());
  return decode(name, *text);
}

Result<void> ClusterRegistry::put(const RegisteredCluster& cluster) { return settings_.put_setting(kPrefix + cluster.status.name, encode(cluster)); }
Result<void> ClusterRegistry::remove(const std::string& name) { return settings_.put_setting(kPrefix + name, ""); }

}  // namespace holdfast
