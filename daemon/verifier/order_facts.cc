#include "daemon/verifier/order_facts.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

const std::string kPrefix = "verification/";

std::string key_of(const std::string& policy, const std::string& tier) { return kPrefix + policy + "/" + tier; }

constexpr std::array<std::pair<const char*, int64_t OrderFacts::*>, 5> kTimes{{{"handled_ms", &OrderFacts::handled_ms}, {"since_ms", &OrderFacts::since_ms},
                                                                              {"last_ms", &OrderFacts::last_ms}, {"good_ms", &OrderFacts::good_ms}, {"ready_ms", &OrderFacts::ready_ms}}};
constexpr std::array<std::pair<const char*, std::string OrderFacts::*>, 3> kTexts{{{"last_state", &OrderFacts::last_state}, {"last_backup", &OrderFacts::last_backup}, {"last_reason", &OrderFacts::last_reason}}};

}  // namespace

OrderFacts OrderFactsStore::load(const std::string& policy, const std::string& tier) const {
  OrderFacts facts;
  const auto text = settings_.setting(key_of(policy, tier));
  boost::system::error_code ec;
  const json::value v = text ? json::parse(*text, ec) : json::value();
  if (ec || !v.is_object()) return facts;
  for (const auto& [key, member] : kTimes) {
    if (const json::value* at = v.get_object().if_contains(key); at != nullptr && at->is_int64()) facts.*member = at->get_int64();
  }
  for (const auto& [key, member] : kTexts) {
    if (const json::value* at = v.get_object().if_contains(key); at != nullptr && at->is_string()) facts.*member = std::string(at->get_string());
  }
  return facts;
}

Result<void> OrderFactsStore::put(const std::string& policy, const std::string& tier, const OrderFacts& facts) {
  json::object o;
  for (const auto& [key, member] : kTimes) o[key] = facts.*member;
  for (const auto& [key, member] : kTexts) o[key] = facts.*member;
  return settings_.put_setting(key_of(policy, tier), json::serialize(o));
}

void OrderFactsStore::forget_others(const std::vector<VerificationOrder>& orders) {
  for (const std::string& key : settings_.setting_names(kPrefix)) {
    const bool known = std::any_of(orders.begin(), orders.end(), [&](const VerificationOrder& o) { return key_of(o.policy, o.tier) == key; });
    if (!known) (void)settings_.put_setting(key, "");
  }
}

}  // namespace holdfast
