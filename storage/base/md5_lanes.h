// MD5 of many streams at a time. One stream cannot be hashed by more than one lane of the processor, and is bound by its latency: what several
// threads hash at the same moment goes through eight or sixteen lanes of one of them.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "storage/base/bytes.h"
#include "storage/base/md5_kernels.h"

namespace holdfast {

class Md5Lanes;

// Blocks that are to go into a state. Neither copied nor moved; stays where it is, with what it points to, until it is done.
struct Md5Job {
  Md5State* state = nullptr;
  const std::byte* blocks = nullptr;
  size_t count = 0;

  Md5Job() = default;
  Md5Job(const Md5Job&) = delete;

 private:
  friend class Md5Lanes;
  enum class Phase { kWaits, kLeads, kDone };
  std::atomic<Phase> phase_{Phase::kWaits};
  bool taken_ = false;    // somebody is at it
  bool awaited_ = false;  // its own thread does nothing else any more
};

// Thread-safe. What is begun is done by whoever is at it, in turn with his own, or else by its own thread when that waits for it; nobody
// waits for others to come.
class Md5Lanes {
 public:
  // `leaders`: how many threads may work with lanes at a time. Without `kernels` (narrowest first) each thread does its own.
  explicit Md5Lanes(std::span<const Md5LaneKernel> kernels = md5_lane_kernels(), unsigned leaders = 1) : kernels_(kernels), leaders_at_most_(leaders) {}

  void begin(Md5Job& job);
  // Returns when it is done. Must follow, on the same thread.
  void finish(Md5Job& job);

 private:
  using Phase = Md5Job::Phase;
  static constexpr size_t kSliceBlocks = 1024;  // then newcomers are looked for

  struct Team {
    std::array<Md5Job*, kMd5MostLanes> jobs;
    size_t size = 0;
  };
  void lead(Md5Job& own);
  void gather(Team& team);
  void work(Team& team) const;
  bool dismiss(Team& team, const Md5Job& own);
  void hand_over(const Team& team);

  const std::span<const Md5LaneKernel> kernels_;
  const unsigned leaders_at_most_;
  std::mutex mutex_;
  std::deque<Md5Job*> queue_;
  size_t open_ = 0;       // jobs that are not done
  unsigned leaders_ = 0;
};

// One running digest. Not thread-safe.
class LaneMd5 {
 public:
  // Without lanes it does its own work.
  explicit LaneMd5(Md5Lanes* lanes) : lanes_(lanes) {}
  ~LaneMd5() { wait(); }
  LaneMd5(const LaneMd5&) = delete;

  // The bytes must stay until wait(), or the next call.
  void begin(ByteSpan bytes);
  void wait();
  std::string finish();  // 16 raw bytes; once

 private:
  Md5Lanes* const lanes_;
  Md5State state_;
  std::array<std::byte, kMd5BlockBytes> rest_;  // less than a block
  uint64_t size_bytes_ = 0;
  std::optional<Md5Job> running_;
};

}  // namespace holdfast
