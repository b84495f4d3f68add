// One tier of a policy: sees its times come, and every run to its end. Each step is a fact before it has an effect, so that
// whatever is killed when goes on where it was.
#pragma once

#include <memory>

#include "daemon/events.h"
#include "daemon/scheduler/backup_maker.h"
#include "daemon/scheduler/run_store.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"

namespace holdfast {

struct TierSurroundings {
  RunStore* runs = nullptr;
  BackupMaker* maker = nullptr;
  Clock* clock = nullptr;
  Random* random = nullptr;
  EventSink tell;  // empty: nobody listens
};

// Not thread-safe.
class TierRunner {
 public:
  // What is known of the tier is read from the store.
  TierRunner(TierSurroundings surroundings, std::shared_ptr<const Policy> policy, const PolicyTier& tier);

  // Does what is to be done now; in how many ms at the latest it wants to be called again.
  int64_t advance();
  // Another version of the policy, or one that is paused or resumed.
  void replace(std::shared_ptr<const Policy> policy, const PolicyTier& tier);
  // A run now. kFailedPrecondition: one is open.
  Result<uint64_t> run_now();
  // A run is going on: its end may have come.
  bool is_running() const { return open_run() != nullptr && open_run()->state == PolicyRun::State::kRunning; }
  TierStatus status() const;
  // Its facts are forgotten.
  Result<void> remove();

 private:
  using State = PolicyRun::State;

  PolicyRun* open_run();
  const PolicyRun* open_run() const { return const_cast<TierRunner*>(this)->open_run(); }
  size_t open_count() const;
  Result<void> save(const PolicyRun& run);
  Result<void> save_tier();
  PolicyRun& add_run(const char* trigger, State state, int64_t due_ms, int64_t accepted_ms);
  void forget_last();

  Result<void> correct_clock();
  Result<void> skip_paused();
  Result<void> take_due();
  Result<void> skip(int64_t due_ms, uint64_t missed, const std::string& why);
  Result<void> follow(PolicyRun& run);
  Result<void> begin(PolicyRun& run);
  Result<void> attempt_failed(PolicyRun& run, const std::string& why, bool final);
  Result<void> finish(PolicyRun& run, State state);
  Result<void> see_to_open_runs();
  Result<void> prune();
  int64_t wait_ms() const;
  int64_t rpo_ms() const;
  void tell(EventKind kind, const PolicyRun* run, std::string text) const;
  void tell_end(const PolicyRun& run) const;
  void watch_rpo();

  void start_deadline(int64_t left_ms) { deadline_at_ms_ = s_.clock->monotonic_ms() + left_ms; }
  bool deadline_is_over() const { return s_.clock->monotonic_ms() >= deadline_at_ms_; }

  const TierSurroundings s_;
  std::shared_ptr<const Policy> policy_;
  const PolicyTier* tier_;  // of the policy
  TierFacts facts_;
  // Of the open run that comes first; by the monotonic clock, which does not jump.
  uint64_t deadline_of_ = 0;
  int64_t deadline_at_ms_ = 0;
  bool cancelled_ = false;
  bool rpo_told_ = false;  // that it is violated
};

}  // namespace holdfast
