// MD5 of many streams at a time. One stream cannot be hashed by more than one lane of the processor, and is bound by its latency: what several
// threads have to hash goes through eight or sixteen lanes of one of them.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <string>

#include "storage/base/bytes.h"
#include "storage/base/md5_kernels.h"

namespace holdfast {

class Md5Lanes;

// Blocks that are to go into a state, piece by piece. Stays where it is, with what its pieces point to, until they are done.
class Md5Stream {
 public:
  Md5Stream() = default;
  Md5Stream(const Md5Stream&) = delete;

  // Between wait(stream, 0) and the next begin() of it.
  Md5State& state() { return state_; }

 private:
  friend class Md5Lanes;
  struct Piece {
    const std::byte* blocks = nullptr;
    size_t count = 0;
  };
  Md5State state_;  // of the leader that has taken it
  // With the lanes' lock:
  std::deque<Piece> pieces_;
  uint64_t begun_ = 0, done_ = 0;
  uint64_t awaited_ = 0;  // somebody does nothing else until so many are done; 0: nobody
  bool taken_ = false;    // by a leader
  bool leads_ = false;    // who waits for it is to be one
  std::atomic<uint32_t> news_ = 0;  // for who waits
};

// Thread-safe. What is begun is done by whoever is at it, in turn with his own, or else by who waits for it; nobody waits for others to
// come. The more is begun before anybody has to wait, the fuller are the lanes.
class Md5Lanes {
 public:
  // `leaders`: how many threads may work with lanes at a time. Without `kernels` (narrowest first) each thread does its own.
  explicit Md5Lanes(std::span<const Md5LaneKernel> kernels = md5_lane_kernels(), unsigned leaders = 1) : kernels_(kernels), leaders_at_most_(leaders) {}

  // A stream is begun and waited for by one thread at a time.
  void begin(Md5Stream& stream, const std::byte* blocks, size_t count);
  // Returns when at most so many of its pieces are not done.
  void wait(Md5Stream& stream, size_t undone_at_most);

 private:
  static constexpr size_t kSliceBlocks = 1024;  // then newcomers are looked for

  struct Member {
    Md5Stream* stream = nullptr;
    Md5Stream::Piece piece;  // what is left of its first
  };
  struct Team {
    std::array<Member, kMd5MostLanes> members;
    size_t size = 0;
    void add(Md5Stream& stream) { members[size++] = {&stream, stream.pieces_.front()}; }
  };
  bool may_lead(const Md5Stream& stream) const;
  void lead(Md5Stream& own, uint64_t target);
  void gather(Team& team);
  void work(Team& team) const;
  bool settle(Team& team, const Md5Stream& own, uint64_t target);
  void hand_over(const Team& team);
  static void tell(Md5Stream& stream);

  const std::span<const Md5LaneKernel> kernels_;
  const unsigned leaders_at_most_;
  std::mutex mutex_;
  std::deque<Md5Stream*> queue_;  // those with pieces that nobody has taken
  size_t open_ = 0;               // those with pieces
  unsigned leaders_ = 0;
};

// One running digest. Not thread-safe.
class LaneMd5 {
 public:
  // Without lanes it does its own work.
  explicit LaneMd5(Md5Lanes* lanes) : lanes_(lanes) {}
  ~LaneMd5() { wait(0); }
  LaneMd5(const LaneMd5&) = delete;

  // The bytes must stay until it is done, see wait(). It waits itself only for bytes that do not follow whole blocks.
  void begin(ByteSpan bytes);
  // Returns when at most the last `undone_at_most` pieces are not done.
  void wait(size_t undone_at_most);
  std::string finish();  // 16 raw bytes; once

 private:
  void do_now(const std::byte* blocks, size_t count);

  Md5Lanes* const lanes_;
  Md5Stream stream_;
  std::array<std::byte, kMd5BlockBytes> rest_;  // less than a block
  uint64_t size_bytes_ = 0;
};

}  // namespace holdfast
