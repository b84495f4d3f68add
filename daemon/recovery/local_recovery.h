// Sends the settings to every site, and watches there whether this appliance is still the one that acts.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "daemon/recovery/own_claim.h"
#include "daemon/recovery/sealed_bundle.h"
#include "storage/base/worker.h"

namespace holdfast {

// A site that is to get bundles, and a way to it.
struct RecoverySite {
  std::string name;
  std::function<Result<std::shared_ptr<RemoteStore>>()> open;
};

struct RecoveryParts {
  SettingsStore* settings = nullptr;
  UserStore* users = nullptr;
  BucketStore* buckets = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  std::optional<BundleKeys> keys;  // none: nothing can be sealed
  std::string host;
  std::function<std::vector<RecoverySite>()> sites;
  std::function<bool(RemoteStore&)> takes_conditional_writes;
  std::function<void(bool active)> on_change;  // on a thread of this object; also once after start()
};

class LocalRecovery final : public RecoveryService {
 public:
  explicit LocalRecovery(RecoveryParts parts) : p_(std::move(parts)), own_(*p_.settings) {}
  ~LocalRecovery() override { stop(); }

  // Who this appliance is. Before anything else.
  Result<void> load();
  // From now on a thread of its own looks at the sites.
  void start();
  void stop();

  // May it act? Not before the first look at the sites.
  bool is_active() const { return active_; }
  // kFailedPrecondition: it is on standby or superseded.
  Result<void> check_standing() const;
  // Before each write to a site: is this appliance still the one that acts? Claims the site where nobody has. kFailedPrecondition: it is not.
  Result<void> confirm(const std::string& name, RemoteStore& site);

  // One look at every site that it is time for.
  void pass(const std::stop_token& stop);

  RecoveryStatus status() const override;
  Result<BundleReport> check_bundle(const std::string& site, const std::string& recovery_key) override;
  Result<void> activate(const std::vector<std::string>& unfenced) override;
  std::vector<std::string> alarms() const override;

 private:
  struct Known {
    std::string problem, sent_digest;
    uint64_t number = 0;
    int64_t sent_ms = 0;            // Unix time
    int64_t looked_at_ms = -1;      // monotonic; -1: never
    int64_t sent_at_ms = -1;
  };
  struct Reached {
    std::string name;
    std::shared_ptr<RemoteStore> store;
  };
  bool is_due(const Known& known, const std::string& digest) const;
  Result<void> see_to(const RecoverySite& site, const std::string& content, const std::string& digest, Known& known);
  Result<void> send_bundle(RemoteStore& store, const std::string& content, const std::string& digest, Known& known);
  Result<std::vector<Reached>> reach_all(const std::vector<std::string>& unfenced, uint64_t& highest) const;
  void tell();

  const RecoveryParts p_;
  OwnClaim own_;
  std::string appliance_;
  std::atomic<bool> active_{false}, looked_{false};
  std::optional<bool> told_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;
  std::mutex activation_mutex_;  // one at a time
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast
