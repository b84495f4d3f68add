// Verifies restore points: those that tiers of policies want, at their times, and those that somebody asks for. One at a time.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "daemon/events.h"
#include "daemon/point_trials.h"
#include "daemon/services.h"
#include "daemon/verifier/order_facts.h"
#include "storage/base/clock.h"
#include "storage/base/worker.h"

namespace holdfast {

struct VerifierParts {
  SettingsStore* settings = nullptr;
  PointTrials* trials = nullptr;
  ClusterService* clusters = nullptr;
  SiteService* sites = nullptr;
  Clock* clock = nullptr;
  std::function<std::vector<VerificationOrder>()> orders;
  std::function<bool()> is_active;   // false: nothing is verified by schedule
  std::function<void(const std::string& policy)> on_news;  // what is known of that policy's restore points has changed
  EventSink tell = {};
};

class Verifier final : public VerificationService {
 public:
  explicit Verifier(VerifierParts parts);
  ~Verifier() override { stop(); }

  // From now on a thread of its own calls pass().
  void start();
  // What runs ends soon; what it leaves in a cluster is removed after the next start.
  void stop();
  void wake();
  // Lines up what is due, verifies everything that stands in line; in how many ms it wants to be called again.
  int64_t pass(const std::stop_token& stop);

  Result<uint64_t> start_verification(const std::string& cluster, const std::string& backup, const std::string& document) override;
  std::vector<VerificationRun> verifications() const override;
  Result<VerificationRun> verification(uint64_t id) const override;
  std::vector<VerificationStatus> verification_orders() const override;
  Result<k8s::PointEvidence> evidence(const std::string& cluster, const std::string& backup) const override { return p_.trials->evidence(cluster, backup); }

 private:
  struct Entry {
    VerificationRun run;
    VerificationRule rule;
    k8s::TrialProgress progress;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void clean_up();
  int64_t line_up_due();
  void line_up(const VerificationOrder& order, OrderFacts& facts);
  void watch(const VerificationOrder& order, const OrderFacts& facts);
  Result<uint64_t> add(VerificationRun run, VerificationRule rule);
  EntryPtr next_waiting();
  void carry_out(Entry& entry, const std::stop_token& stop);
  // They fill in `run`.
  Result<void> read(const VerificationRule& rule, VerificationRun& run, const std::stop_token& stop);
  Result<void> read_copies(VerificationRun& run, const std::stop_token& stop);
  Result<void> read_copy(const std::string& site, VerificationRun& run, const std::stop_token& stop);
  Result<void> restore(Entry& entry, VerificationRun& run, const std::stop_token& stop);
  Result<void> note_evidence(const VerificationRun& run, const k8s::PointEvidence& found);
  void note_end(const VerificationRun& run);
  VerificationRun shown(const Entry& entry) const;
  bool is_overdue(const VerificationOrder& order, const OrderFacts& facts) const;

  const VerifierParts p_;
  OrderFactsStore facts_;
  mutable std::mutex mutex_;
  std::deque<EntryPtr> entries_;  // oldest first
  uint64_t next_id_ = 1;
  std::set<std::pair<std::string, std::string>> told_overdue_;  // policy, tier
  int64_t clean_at_ms_ = 0;  // monotonic: when what trials have left is looked for again
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast
