#include "daemon/notifier/webhook_registry.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/url/parse.hpp>

#include "storage/base/names.h"

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "webhook/";

Result<NewWebhook> decode(const std::string& name, const std::string& text) {
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  const auto broken = [&] { return error(Code::kCorrupt, Subject::kConfig, "webhook \"" + name + "\" cannot be read"); };
  NewWebhook w;
  w.name = name;
  for (auto [member, key] : {std::pair{&w.url, "url"}, {&w.secret, "secret"}, {&w.ca_pem, "ca_pem"}}) {
    const json::value* given = o == nullptr ? nullptr : o->if_contains(key);
    if (given == nullptr || !given->is_string()) return broken();
    *member = given->get_string();
  }
  const json::value* events = o->if_contains("events");
  if (events == nullptr || !events->is_array()) return broken();
  for (const json::value& e : events->get_array()) {
    if (!e.is_string()) return broken();
    w.events.emplace_back(e.get_string());
  }
  return w;
}

Result<void> check(const NewWebhook& w) {
  if (!is_dns_label(w.name)) return error(Code::kInvalidArgument, "\"" + w.name + "\" is no name of a webhook: lower case letters, digits and '-', 63 at most");
  const auto url = boost::urls::parse_uri(w.url);
  if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->host().empty() || url->has_userinfo()) {
    return error(Code::kInvalidArgument, "webhook \"" + w.name + "\": it needs a URL with http:// or https:// and a host, and no user in it");
  }
  for (const std::string& e : w.events) {
    if (std::none_of(std::begin(kAllEvents), std::end(kAllEvents), [&](EventKind k) { return e == name_of(k); })) {
      std::string known;
      for (const EventKind k : kAllEvents) known += std::string(known.empty() ? "" : ", ") + name_of(k);
      return error(Code::kInvalidArgument, "there is no event \"" + e + "\"; there are " + known);
    }
  }
  return {};
}

}  // namespace

bool wants(const NewWebhook& w, EventKind kind) { return w.events.empty() || std::find(w.events.begin(), w.events.end(), name_of(kind)) != w.events.end(); }

std::vector<NewWebhook> WebhookRegistry::all() const {
  std::vector<NewWebhook> out;
  for (const std::string& key : settings_.setting_names(kPrefix)) {
    if (auto w = find(key.substr(kPrefix.size()))) out.push_back(std::move(*w));
  }
  return out;
}

Result<NewWebhook> WebhookRegistry::find(const std::string& name) const {
  const auto text = settings_.setting(kPrefix + name);
  if (!text && text.error().code() == Code::kNotFound) return error(Code::kNotFound, "there is no webhook \"" + name + "\"");
  if (!text) return std::unexpected(text.error());
  return decode(name, *text);
}

Result<void> WebhookRegistry::put(const NewWebhook& w) {
  HF_CHECK(check(w));
  return settings_.put_setting(kPrefix + w.name, json::serialize(json::object{{"url", w.url}, {"secret", w.secret}, {"ca_pem", w.ca_pem}, {"events", json::array(w.events.begin(), w.events.end())}}));
}

Result<void> WebhookRegistry::remove(const std::string& name) {
  HF_CHECK(find(name));
  return settings_.put_setting(kPrefix + name, "");
}

}  // namespace holdfast
