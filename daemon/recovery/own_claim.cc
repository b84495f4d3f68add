#include "daemon/recovery/own_claim.h"

#include <boost/json.hpp>

#include "daemon/identity.h"
#include "storage/base/log.h"

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr const char* kSetting = "appliance/claim";

std::string encode(const OwnClaim::Standing& s) {
  return json::serialize(json::object{{"generation", static_cast<int64_t>(s.claim.generation)}, {"holder", s.claim.holder}, {"state", name_of(s.state)}, {"reason", s.reason}});
}

Result<OwnClaim::Standing> decode(const std::string& text) {
  boost::system::error_code ec;
  const json::value v = json::parse(text, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  const auto member = [&](const char* key) { return o == nullptr ? nullptr : o->if_contains(key); };
  const json::value *generation = member("generation"), *holder = member("holder"), *state = member("state"), *reason = member("reason");
  OwnClaim::Standing s;
  bool known = false;
  for (const ApplianceState one : {ApplianceState::kActive, ApplianceState::kStandby, ApplianceState::kSuperseded}) {
    if (state == nullptr || !state->is_string() || state->get_string() != name_of(one)) continue;
    s.state = one;
    known = true;
  }
  if (!known || generation == nullptr || !generation->is_int64() || generation->get_int64() <= 0 || holder == nullptr || !holder->is_string() || reason == nullptr || !reason->is_string()) {
    return error(Code::kCorrupt, Subject::kConfig, "the claim of this appliance cannot be read");
  }
  s.claim.generation = static_cast<uint64_t>(generation->get_int64());
  s.claim.holder = holder->get_string();
  s.reason = reason->get_string();
  return s;
}

}  // namespace

const char* name_of(ApplianceState state) {
  switch (state) {
    case ApplianceState::kActive: return "active";
    case ApplianceState::kStandby: return "standby";
    case ApplianceState::kSuperseded: return "superseded";
  }
  return "";
}

Result<void> OwnClaim::load(const std::string& appliance, const std::string& host, Random& random) {
  std::lock_guard lock(mutex_);
  const auto text = settings_.setting(kSetting);
  if (text) {
    HF_TRY(now_, decode(*text));
  } else if (text.error().code() == Code::kNotFound) {
    now_.claim.generation = 1;
    now_.claim.holder = new_holder(random);
    HF_CHECK(store(now_));
  } else {
    return std::unexpected(text.error());
  }
  now_.claim.appliance = appliance;
  now_.claim.host = host;
  return {};
}

OwnClaim::Standing OwnClaim::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

Result<void> OwnClaim::store(const Standing& standing) { return settings_.put_setting(kSetting, encode(standing)); }

Result<void> OwnClaim::activate(const Claim& claim) {
  std::lock_guard lock(mutex_);
  Standing next{claim, ApplianceState::kActive, ""};
  HF_CHECK(raise_lives(settings_, claim.generation));
  HF_CHECK(store(next));
  now_ = std::move(next);
  return {};
}

void OwnClaim::give_way(const Claim& to, const std::string& where) {
  std::lock_guard lock(mutex_);
  // What was read before this appliance was activated is no longer of interest.
  const bool newer = to.generation > now_.claim.generation || (to.generation == now_.claim.generation && to.holder != now_.claim.holder);
  if (now_.state != ApplianceState::kActive || !newer) return;
  now_.state = ApplianceState::kSuperseded;
  now_.reason = "generation " + std::to_string(to.generation) + " of it acts" + (to.host.empty() ? "" : " on host " + to.host) + ", as site \"" + where + "\" says";
  spdlog::error("this appliance acts no more: {}", now_.reason);
  if (auto stored = store(now_); !stored) spdlog::error("that cannot be kept: {}", stored.error().message());
}

Result<void> start_on_standby(SettingsStore& settings, uint64_t generation, const std::string& where_from) {
  OwnClaim::Standing s;
  s.claim.generation = generation;
  s.claim.holder = "none";
  s.state = ApplianceState::kStandby;
  s.reason = "it was recovered from " + where_from + " and waits for `holdfast recover activate`";
  return settings.put_setting(kSetting, encode(s));
}

}  // namespace holdfast
