#include "daemon/replicator/site_registry.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "site/";

Result<RegisteredSite> decode(const std::string& name, const std::string& text) {
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  RegisteredSite site;
  site.status.name = name;
  const json::object* o = ec ? nullptr : v.if_object();
  for (auto [member, key] : {std::pair{&site.place.url, "url"}, {&site.place.region, "region"}, {&site.place.bucket, "bucket"}, {&site.place.ca_pem, "ca_pem"},
                             {&site.place.access_key, "access_key"}, {&site.place.secret, "secret"}}) {
    const json::value* given = o == nullptr ? nullptr : o->if_contains(key);
    if (given == nullptr || !given->is_string()) return error(Code::kCorrupt, Subject::kConfig, "the registration of site \"" + name + "\" cannot be read");
    *member = given->get_string();
  }
  if (const json::value* added = o->if_contains("added_ms"); added != nullptr && added->is_int64()) site.status.added_ms = added->get_int64();
  if (const json::value* limit = o->if_contains("bytes_per_second"); limit != nullptr && limit->is_int64()) site.place.bytes_per_second = static_cast<uint64_t>(limit->get_int64());
  site.status.bytes_per_second = site.place.bytes_per_second;
  site.status.url = site.place.url;
  site.status.bucket = site.place.bucket;
  site.status.region = site.place.region;
  site.status.access_key = site.place.access_key;
  return site;
}

}  // namespace

std::vector<RegisteredSite> SiteRegistry::all() const {
  std::vector<RegisteredSite> out;
  for (const std::string& key : settings_.setting_names(kPrefix)) {
    if (auto site = find(key.substr(kPrefix.size()))) out.push_back(std::move(*site));
  }
  return out;
}

Result<RegisteredSite> SiteRegistry::find(const std::string& name) const {
  const auto text = settings_.setting(kPrefix + name);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "there is no site \"" + name + "\"");
  if (!text) return std::unexpected(text.error());
  return decode(name, *text);
}

std::optional<RemotePlace> SiteRegistry::at(const std::string& url, const std::string& bucket) const {
  std::optional<RemotePlace> found;
  for (RegisteredSite& site : all()) {
    if (site.place.url == url && (!found || site.place.bucket == bucket)) found = std::move(site.place);
  }
  return found;
}

Result<void> SiteRegistry::put(const RegisteredSite& site) {
  const RemotePlace& p = site.place;
  return settings_.put_setting(kPrefix + site.status.name, json::serialize(json::object{{"url", p.url}, {"region", p.region}, {"bucket", p.bucket}, {"ca_pem", p.ca_pem},
                                                                                        {"access_key", p.access_key}, {"secret", p.secret}, {"added_ms", site.status.added_ms}, {"bytes_per_second", static_cast<int64_t>(p.bytes_per_second)}}));
}

Result<void> SiteRegistry::remove(const std::string& name) { return settings_.put_setting(kPrefix + name, ""); }

}  // namespace holdfast
