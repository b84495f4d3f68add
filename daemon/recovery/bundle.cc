#include "daemon/recovery/bundle.h"

#include <algorithm>
#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr const char* kNotTravelling[] = {"running-backup/", "running-restore/", "appliance/claim", "appliance/generation"};

json::object to_json(const User& u) {
  return {{"access_key", u.access_key}, {"secret", u.secret}, {"name", u.name}, {"role", static_cast<unsigned>(u.role)},
          {"enabled", u.enabled}, {"created_ms", u.created_ms}, {"scopes", json::array(u.scopes.begin(), u.scopes.end())}};
}

json::object to_json(const Bucket& b) {
  json::object tags;
  for (const auto& [key, value] : b.tags) tags[key] = value;
  return {{"name", b.name}, {"owner", b.owner}, {"versioning", static_cast<unsigned>(b.versioning)}, {"lock_enabled", b.lock_enabled},
          {"lock_mode", static_cast<unsigned>(b.default_retention.mode)}, {"lock_days", b.default_retention.days},
          {"lock_years", b.default_retention.years}, {"tags", std::move(tags)}};
}

// Members that are missing or of another type make the whole document unreadable.
class Members {
 public:
  explicit Members(const json::value& v) : o_(v.if_object()), ok_(o_ != nullptr) {}
  std::string text(const char* key) {
    const json::value& v = member(key);
    return take(v.is_string() ? std::optional(std::string(v.get_string())) : std::nullopt);
  }
  bool flag(const char* key) {
    const json::value& v = member(key);
    return take(v.is_bool() ? std::optional(v.get_bool()) : std::nullopt);
  }
  int64_t number(const char* key, int64_t most = INT64_MAX) {
    const json::value& v = member(key);
    return take(v.is_int64() && v.get_int64() >= 0 && v.get_int64() <= most ? std::optional(v.get_int64()) : std::nullopt);
  }
  const json::value& member(const char* key) {
    static const json::value kNothing;
    const json::value* v = o_ == nullptr ? nullptr : o_->if_contains(key);
    ok_ = ok_ && v != nullptr;
    return v == nullptr ? kNothing : *v;
  }
  bool ok() const { return ok_; }

 private:
  template <typename T>
  T take(std::optional<T> value) {
    ok_ = ok_ && value.has_value();
    return std::move(value).value_or(T());
  }
  const json::object* o_;
  bool ok_;
};

std::optional<User> user_of(const json::value& v) {
  Members m(v);
  User u;
  u.access_key = m.text("access_key");
  u.secret = m.text("secret");
  u.name = m.text("name");
  u.role = static_cast<Role>(m.number("role", static_cast<int64_t>(Role::kAppendOnly)));
  u.enabled = m.flag("enabled");
  u.created_ms = m.number("created_ms");
  const json::array* scopes = m.member("scopes").if_array();
  if (scopes == nullptr) return std::nullopt;
  for (const json::value& s : *scopes) {
    if (!s.is_string()) return std::nullopt;
    u.scopes.emplace_back(s.get_string());
  }
  if (!m.ok()) return std::nullopt;
  return u;
}

std::optional<Bucket> bucket_of(const json::value& v) {
  Members m(v);
  Bucket b;
  b.name = m.text("name");
  b.owner = m.text("owner");
  b.versioning = static_cast<Versioning>(m.number("versioning", static_cast<int64_t>(Versioning::kSuspended)));
  b.lock_enabled = m.flag("lock_enabled");
  b.default_retention.mode = static_cast<LockMode>(m.number("lock_mode", static_cast<int64_t>(LockMode::kCompliance)));
  b.default_retention.days = static_cast<uint32_t>(m.number("lock_days", UINT32_MAX));
  b.default_retention.years = static_cast<uint32_t>(m.number("lock_years", UINT32_MAX));
  const json::object* tags = m.member("tags").if_object();
  if (tags == nullptr) return std::nullopt;
  for (const auto& [key, value] : *tags) {
    if (!value.is_string()) return std::nullopt;
    b.tags.emplace_back(key, value.get_string());
  }
  if (!m.ok()) return std::nullopt;
  return b;
}

// "cluster/prod": cluster "prod". Empty: it is nothing that an operator made.
std::string described(const std::string& setting) {
  const size_t slash = setting.find('/');
  const std::string kind = setting.substr(0, slash);
  if (slash == std::string::npos || (kind != "cluster" && kind != "policy" && kind != "site")) return "";
  return kind + " \"" + setting.substr(slash + 1) + "\"";
}

}  // namespace

bool travels(const std::string& setting) {
  return std::none_of(std::begin(kNotTravelling), std::end(kNotTravelling), [&](const char* prefix) { return setting.starts_with(prefix); });
}

BundleContent content_of(const SettingsStore& settings, const UserStore& users, const BucketStore& buckets) {
  BundleContent content;
  for (const std::string& name : settings.setting_names("")) {
    if (!travels(name)) continue;
    if (auto text = settings.setting(name)) content.settings[name] = std::move(*text);  // else it was removed meanwhile
  }
  content.users = users.users();
  content.buckets = buckets.buckets();
  std::sort(content.users.begin(), content.users.end(), [](const User& a, const User& b) { return a.access_key < b.access_key; });
  return content;
}

std::string encode(const BundleContent& content) {
  json::object settings;
  for (const auto& [name, text] : content.settings) settings[name] = text;
  json::array users, buckets;
  for (const User& u : content.users) users.push_back(to_json(u));
  for (const Bucket& b : content.buckets) buckets.push_back(to_json(b));
  return json::serialize(json::object{{"settings", std::move(settings)}, {"users", std::move(users)}, {"buckets", std::move(buckets)}});
}

Result<BundleContent> decode_bundle(const std::string& text) {
  const auto broken = [] { return error(Code::kCorrupt, Subject::kConfig, "the bundle cannot be read"); };
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  if (ec) return broken();
  Members m(v);
  const json::object* settings = m.member("settings").if_object();
  const json::array* users = m.member("users").if_array();
  const json::array* buckets = m.member("buckets").if_array();
  if (settings == nullptr || users == nullptr || buckets == nullptr) return broken();
  BundleContent content;
  for (const auto& [name, value] : *settings) {
    if (!value.is_string()) return broken();
    content.settings[name] = value.get_string();
  }
  for (const json::value& one : *users) {
    auto user = user_of(one);
    if (!user) return broken();
    content.users.push_back(std::move(*user));
  }
  for (const json::value& one : *buckets) {
    auto bucket = bucket_of(one);
    if (!bucket) return broken();
    content.buckets.push_back(std::move(*bucket));
  }
  return content;
}

Result<void> take_over(const BundleContent& content, SettingsStore& settings, UserStore& users, BucketStore& buckets) {
  for (const User& u : content.users) HF_CHECK(users.put_user(u));
  for (const Bucket& b : content.buckets) {
    HF_CHECK(buckets.create_bucket(b, ""));
    HF_CHECK(buckets.change_bucket(b.name, [&](Bucket& made) -> Result<void> {
      made.versioning = b.versioning;
      made.lock_enabled = b.lock_enabled;
      made.default_retention = b.default_retention;
      made.tags = b.tags;
      return {};
    }));
  }
  for (const auto& [name, text] : content.settings) {
    if (travels(name)) HF_CHECK(settings.put_setting(name, text));
  }
  return {};
}

void describe(const BundleContent& content, BundleReport& report) {
  for (auto [prefix, list] : {std::pair{std::string("cluster/"), &report.clusters}, {"policy/", &report.policies}, {"site/", &report.sites}}) {
    for (auto at = content.settings.lower_bound(prefix); at != content.settings.end() && at->first.starts_with(prefix); ++at) list->push_back(at->first.substr(prefix.size()));
  }
  for (const Bucket& b : content.buckets) report.buckets.push_back(b.name);
  for (const User& u : content.users) report.users.push_back(u.access_key);
}

std::vector<std::string> differences(const BundleContent& then, const BundleContent& now) {
  std::vector<std::string> out;
  for (const auto& [name, text] : now.settings) {
    const auto before = then.settings.find(name);
    if (before != then.settings.end() && before->second == text) continue;
    if (const std::string what = described(name); !what.empty()) out.push_back(what + (before == then.settings.end() ? " is not in it" : " is in it as it was before"));
  }
  for (const User& u : now.users) {
    const bool there = std::any_of(then.users.begin(), then.users.end(), [&](const User& o) { return json::serialize(to_json(o)) == json::serialize(to_json(u)); });
    if (!there) out.push_back("user " + u.access_key + " is not in it as it is now");
  }
  for (const Bucket& b : now.buckets) {
    const bool there = std::any_of(then.buckets.begin(), then.buckets.end(), [&](const Bucket& o) { return o.name == b.name; });
    if (!there) out.push_back("bucket \"" + b.name + "\" is not in it");
  }
  return out;
}

}  // namespace holdfast
