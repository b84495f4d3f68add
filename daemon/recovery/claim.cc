#include "daemon/recovery/claim.h"

#include <boost/json.hpp>

namespace holdfast {

namespace json = boost::json;

namespace {

constexpr uint64_t kMaxClaimBytes = 64 << 10;
constexpr int kTries = 5;

// kFailedPrecondition: another claim has come in between.
Result<void> replace(RemoteStore& site, const Claim& ours, const std::optional<StandingClaim>& standing) {
  RemotePut put{.key = claim_key(ours.appliance), .content_type = "application/json"};
  put.only_new = !standing;
  if (standing) put.only_if_etag = standing->etag;
  auto written = site.put(put, claim_body(ours));
  if (!written && (written.error().code() == Code::kUnimplemented || written.error().code() == Code::kInvalidArgument)) {
    put.only_new = false;
    put.only_if_etag.clear();
    written = site.put(put, claim_body(ours));
  }
  HF_CHECK(written);
  return {};
}

}  // namespace

std::string claim_key(const std::string& appliance) { return "holdfast/claims/" + appliance; }

std::string claim_body(const Claim& c) {
  return json::serialize(json::object{{"appliance", c.appliance}, {"generation", static_cast<int64_t>(c.generation)}, {"holder", c.holder}, {"host", c.host}, {"claimed_ms", c.claimed_ms}});
}

Result<Claim> parse_claim(const std::string& body, const std::string& appliance) {
  boost::system::error_code ec;
  const json::value v = json::parse(body, ec);
  const json::object* o = ec ? nullptr : v.if_object();
  const json::value* generation = o == nullptr ? nullptr : o->if_contains("generation");
  const json::value* holder = o == nullptr ? nullptr : o->if_contains("holder");
  if (generation == nullptr || !generation->is_int64() || generation->get_int64() <= 0 || holder == nullptr || !holder->is_string()) {
    return error(Code::kCorrupt, claim_key(appliance) + " there is no claim of an appliance");
  }
  Claim claim{appliance, static_cast<uint64_t>(generation->get_int64()), std::string(holder->get_string()), "", 0};
  if (const json::value* host = o->if_contains("host"); host != nullptr && host->is_string()) claim.host = host->get_string();
  if (const json::value* claimed = o->if_contains("claimed_ms"); claimed != nullptr && claimed->is_int64()) claim.claimed_ms = claimed->get_int64();
  return claim;
}

std::string new_holder(Random& random) {
  std::array<std::byte, 8> bytes;
  random.fill(bytes);
  return hex(bytes);
}

Result<std::optional<StandingClaim>> read_claim(RemoteStore& site, const std::string& appliance) {
  const std::string key = claim_key(appliance);
  const auto there = site.head(key);  // before the body: a claim that comes in between makes the conditional write fail
  if (!there && there.error().code() == Code::kNotFound) return std::optional<StandingClaim>();
  if (!there) return std::unexpected(there.error());
  HF_TRY(const std::string body, site.get(key, kMaxClaimBytes));
  HF_TRY(Claim claim, parse_claim(body, appliance));
  return StandingClaim{std::move(claim), there->etag};
}

Result<Claim> put_claim(RemoteStore& site, const Claim& ours) {
  for (int turn = 0; turn < kTries; ++turn) {
    HF_TRY(const auto standing, read_claim(site, ours.appliance));
    if (standing && standing->claim.generation >= ours.generation) return standing->claim;
    // What came in between, or of which only the answer was lost, is found by the next look.
    const auto written = replace(site, ours, standing);
    if (!written && written.error().code() != Code::kFailedPrecondition) return std::unexpected(written.error());
  }
  return error(Code::kUnavailable, "the claim at the site is written by others all the time");
}

}  // namespace holdfast
