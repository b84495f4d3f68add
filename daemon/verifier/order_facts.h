// What became of the verifications that tiers of policies want, as it is kept in the settings.
#pragma once

#include "daemon/verification.h"
#include "storage/bucket_store.h"

namespace holdfast {

struct OrderFacts {
  int64_t handled_ms = 0;  // times up to here are seen to
  int64_t since_ms = 0;    // when it was first known
  int64_t last_ms = 0, good_ms = 0, ready_ms = 0;
  std::string last_state, last_backup, last_reason;
};

// Thread-safe as the settings are.
class OrderFactsStore {
 public:
  explicit OrderFactsStore(SettingsStore& settings) : settings_(settings) {}

  OrderFacts load(const std::string& policy, const std::string& tier) const;
  Result<void> put(const std::string& policy, const std::string& tier, const OrderFacts& facts);
  // Of all but these.
  void forget_others(const std::vector<VerificationOrder>& orders);

 private:
  SettingsStore& settings_;
};

}  // namespace holdfast
