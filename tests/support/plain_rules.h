// What stays, from the rules as docs/policies.md says them, without any cleverness: what the model tests compare with.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "daemon/retention.h"

namespace holdfast::test {

// A number of the environment, by which a test is made longer.
inline uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A soak of a thousand seeds lasts for hours: it says how far it is.
inline void tell_progress(uint64_t seed) {
  if (seed % 50 <= 1) std::fprintf(stderr, "seed %llu: right so far\n", static_cast<unsigned long long>(seed));
}

struct PlainRule {
  unsigned last = 0, daily = 0, monthly = 0;
  int64_t keep_for_ms = 0;
  // "{keepFor: 3d, last: 1, ...}"
  std::string document() const;
};

// Names. Periods are those of UTC.
std::set<std::string> should_stay(const PlainRule& rule, std::vector<TierPoint> points, int64_t now_ms);

}  // namespace holdfast::test
