// Policies as they come from outside: refused with a reason, or good to run by.
#include <cstdlib>

#include "daemon/scheduler/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto policy = holdfast::parse_policy(std::string(reinterpret_cast<const char*>(data), size));
  if (!policy) {
    if (policy.error().message().empty()) std::abort();
    return 0;
  }
  constexpr int64_t kNow = 1'790'000'000'000, kMonth = 31LL * 86'400'000;
  for (const holdfast::PolicyTier& tier : policy->tiers) {
    if (!tier.times.next(kNow - kMonth)) continue;
    const auto last = tier.times.last(kNow - kMonth, kNow);
    if (last && (*last > kNow || *last <= kNow - kMonth)) std::abort();
    if (last && tier.schedule.find("@every") == std::string::npos && tier.times.next(*last).value_or(kNow + 1) <= kNow) std::abort();
  }
  // What is stored is read again as the same.
  const auto again = holdfast::parse_policy(policy->document);
  if (!again || again->tiers.size() != policy->tiers.size() || again->document != policy->document) std::abort();
  return 0;
}
