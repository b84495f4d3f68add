#include "daemon/scheduler/policy.h"

#include <boost/json.hpp>

#include <algorithm>
#include <tuple>

#include "daemon/scheduler/document_lines.h"
#include "daemon/verification_fields.h"
#include "k8s/backup_engine.h"
#include "k8s/yaml_json.h"

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr size_t kMaxTiers = 50;
constexpr size_t kMaxStemBytes = 62;  // it is a label's value, too
constexpr unsigned kMostPoints = 100'000;
constexpr int64_t kMinuteMs = 60'000, kHourMs = 3'600'000, kYearMs = 365LL * 24 * kHourMs;

RetryRule retries_of(const PolicyFields& fields) {
  RetryRule rule;
  const json::value* given = fields.find("retries");
  if (given == nullptr) return rule;
  const PolicyFields f(*given, fields.path_of("retries"));
  f.only({"times", "wait", "longestWait"});
  rule.times = f.count("times", 100);
  rule.first_wait_ms = f.length_ms("wait", rule.first_wait_ms);
  rule.longest_wait_ms = std::max(rule.first_wait_ms, f.length_ms("longestWait", rule.longest_wait_ms));
  return rule;
}

// Of a copy nobody knows here whether it verified.
RetentionRule retention_of(const PolicyFields& fields, bool of_copy) {
  RetentionRule rule;
  const json::value& given = fields.required("retention");
  if (given.is_string()) {
    if (given.get_string() != "forever") fields.refuse("retention", "it is neither a map nor \"forever\"");
    rule.forever = true;
    return rule;
  }
  const PolicyFields f(given, fields.path_of("retention"));
  std::set<std::string_view> known{"keepFor", "last", "hourly", "daily", "weekly", "monthly", "yearly"};
  if (!of_copy) known.insert("verified");
  f.only(known);
  rule.keep_for_ms = f.length_ms("keepFor", 0);
  for (auto [member, key] : {std::pair{&rule.last, "last"}, {&rule.hourly, "hourly"}, {&rule.daily, "daily"}, {&rule.weekly, "weekly"}, {&rule.monthly, "monthly"}, {&rule.yearly, "yearly"}}) {
    *member = f.count(key, kMostPoints);
  }
  rule.verified = f.count("verified", kMostPoints);
  const bool any = rule.keep_for_ms > 0 || rule.last + rule.hourly + rule.daily + rule.weekly + rule.monthly + rule.yearly + rule.verified > 0;
  if (!any) fields.refuse("retention", "it keeps nothing; write \"forever\" to keep everything");
  return rule;
}

int64_t lock_of(const PolicyFields& fields) {
  const int64_t lock_ms = fields.length_ms("lock", 0);
  if (lock_ms > 10 * kYearMs) fields.refuse("lock", "it is more than ten years, and nobody could take it back");
  return lock_ms;
}

std::map<std::string, std::string> labels_of(const PolicyFields& fields) {
  std::map<std::string, std::string> labels;
  const json::value* given = fields.find("labels");
  if (given == nullptr) return labels;
  if (!given->is_object() || given->get_object().empty()) fields.refuse("labels", "it is not a map of labels");
  for (const auto& member : given->get_object()) {
    if (!member.value().is_string()) fields.refuse("labels", "the value of \"" + std::string(member.key()) + "\" is not a text");
    labels[member.key()] = member.value().get_string();
  }
  return labels;
}

std::vector<TierCopy> copies_of(const PolicyFields& fields) {
  std::vector<TierCopy> copies;
  const json::value* given = fields.find("copies");
  if (given == nullptr) return copies;
  if (!given->is_array()) fields.refuse("copies", "it is not a list");
  for (const json::value& entry : given->get_array()) {
    const std::string path = fields.path_of("copies") + "[" + std::to_string(copies.size()) + "]";
    const PolicyFields f(entry, path);
    f.only({"site", "mode", "labels", "retention", "lock"});
    TierCopy copy;
    copy.site = f.name("site");
    copy.mode = f.choice("mode", {"all", "latest"}) == 0 ? TierCopy::Mode::kAll : TierCopy::Mode::kLatest;
    copy.retention = retention_of(f, true);
    copy.lock_ms = lock_of(f);
    copy.labels = labels_of(f);
    for (const TierCopy& other : copies) {
      if (other.site == copy.site) throw BadField{path + ".site", "there is another copy to site \"" + copy.site + "\""};
    }
    copies.push_back(std::move(copy));
  }
  return copies;
}

std::pair<std::string, k8s::Cron> times_of(const PolicyFields& f, const std::string& time_zone) {
  (void)f.required("schedule");
  std::string schedule = (time_zone.empty() ? "" : "TZ=" + time_zone + " ") + f.text("schedule");
  auto times = k8s::Cron::parse(schedule);
  if (!times) f.refuse("schedule", times.error().message());
  if (!times->next(0)) f.refuse("schedule", "that time never comes");
  return {std::move(schedule), *times};
}

std::optional<TierVerification> verification_of(const PolicyFields& tier, const std::string& time_zone) {
  const json::value* given = tier.find("verification");
  if (given == nullptr) return std::nullopt;
  const PolicyFields f(*given, tier.path_of("verification"));
  std::set<std::string_view> known = verification_keys();
  known.insert({"schedule", "within"});
  f.only(known);
  TierVerification verification;
  std::tie(verification.schedule, verification.times) = times_of(f, time_zone);
  verification.within_ms = f.length_ms("within", 0);
  verification.rule = verification_rule(f);
  return verification;
}

// What the tier says goes before what the policy says for all of them, field by field.
json::object backup_of(const PolicyFields& policy, const PolicyFields& tier) {
  json::object spec;
  for (const PolicyFields* from : {&policy, &tier}) {
    const json::value* given = from->find("backup");
    if (given == nullptr) continue;
    if (!given->is_object()) from->refuse("backup", "it is not a map");
    for (const char* ours : {"ttl", "storageLocation"}) {
      if (given->get_object().contains(ours)) from->refuse(std::string("backup.") + ours, "a policy sees to this itself");
    }
    for (const auto& member : given->get_object()) spec[member.key()] = member.value();
  }
  if (const auto good = k8s::check_backup_spec(json::serialize(spec)); !good) {
    const PolicyFields& blamed = tier.find("backup") != nullptr ? tier : policy;
    blamed.refuse("backup", good.error().message());
  }
  return spec;
}

PolicyTier tier_of(const PolicyFields& policy, const std::string& policy_name, const json::value& given, const std::string& path) {
  const PolicyFields f(given, path);
  f.only({"name", "schedule", "timeZone", "backup", "missed", "overlap", "startWithin", "deadline", "jitter", "retries", "retention", "lock", "copies", "rpo", "verification"});
  PolicyTier tier;
  tier.name = f.name("name");
  if (backup_stem(policy_name, tier.name).size() > kMaxStemBytes) f.refuse("name", "the names of policy and tier have more than " + std::to_string(kMaxStemBytes - 1) + " characters together");
  const PolicyFields& zone_from = f.find("timeZone") != nullptr ? f : policy;
  tier.time_zone = zone_from.text("timeZone");
  if (!tier.time_zone.empty()) {
    if (auto zone = k8s::TimeZone::find(tier.time_zone); !zone) zone_from.refuse("timeZone", zone.error().message());
  }
  std::tie(tier.schedule, tier.times) = times_of(f, tier.time_zone);
  tier.backup = backup_of(policy, f);
  tier.missed = f.choice("missed", {"once", "skip"}) == 0 ? PolicyTier::Missed::kOnce : PolicyTier::Missed::kSkip;
  tier.overlap = f.choice("overlap", {"skip", "queue"}) == 0 ? PolicyTier::Overlap::kSkip : PolicyTier::Overlap::kQueue;
  tier.start_within_ms = std::max(f.length_ms("startWithin", tier.start_within_ms), kMinuteMs);
  tier.deadline_ms = f.length_ms("deadline", tier.deadline_ms);
  tier.jitter_ms = f.length_ms("jitter", 0);
  if (tier.jitter_ms > 24 * kHourMs) f.refuse("jitter", "it is more than a day");
  if (tier.jitter_ms >= tier.deadline_ms) f.refuse("jitter", "it leaves nothing of the deadline");
  tier.rpo_ms = f.length_ms("rpo", 0);
  tier.retries = retries_of(f);
  tier.retention = retention_of(f, false);
  tier.lock_ms = lock_of(f);
  tier.copies = copies_of(f);
  tier.verification = verification_of(f, tier.time_zone);
  return tier;
}

Policy policy_of(const json::value& document) {
  const PolicyFields f(document, "");
  f.only({"name", "cluster", "paused", "timeZone", "backup", "tiers"});
  Policy policy;
  policy.name = f.name("name");
  policy.cluster = f.name("cluster");
  policy.paused = f.flag("paused");
  policy.says_paused = f.find("paused") != nullptr;
  const json::value& tiers = f.required("tiers");
  if (!tiers.is_array() || tiers.get_array().empty()) f.refuse("tiers", "it is not a list of one tier or more");
  if (tiers.get_array().size() > kMaxTiers) f.refuse("tiers", "more than " + std::to_string(kMaxTiers));
  for (const json::value& given : tiers.get_array()) {
    const std::string path = "tiers[" + std::to_string(policy.tiers.size()) + "]";
    PolicyTier tier = tier_of(f, policy.name, given, path);
    if (policy.tier(tier.name) != nullptr) throw BadField{path + ".name", "there is another tier \"" + tier.name + "\""};
    policy.tiers.push_back(std::move(tier));
  }
  policy.document = json::serialize(document);
  return policy;
}

}  // namespace

int64_t RetryRule::wait_ms(unsigned failures) const {
  int64_t wait = first_wait_ms;
  for (unsigned i = 1; i < failures && wait < longest_wait_ms; ++i) wait *= 2;
  return std::min(wait, longest_wait_ms);
}

const PolicyTier* Policy::tier(const std::string& wanted) const {
  const auto found = std::find_if(tiers.begin(), tiers.end(), [&](const PolicyTier& t) { return t.name == wanted; });
  return found == tiers.end() ? nullptr : &*found;
}

std::string backup_stem(const std::string& policy, const std::string& tier) { return policy + "-" + tier; }

Result<Policy> parse_policy(const std::string& text) {
  HF_TRY(const json::value document, k8s::json_of_yaml(text));
  try {
    return policy_of(document);
  } catch (const BadField& bad) {
    const int line = line_of(text, bad.path);
    return error(Code::kInvalidArgument, (line > 0 ? "line " + std::to_string(line) + ": " : "") + (bad.path.empty() ? "" : bad.path + ": ") + bad.why);
  }
}

}  // namespace holdfast
