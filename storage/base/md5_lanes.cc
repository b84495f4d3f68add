#include "storage/base/md5_lanes.h"

#include <algorithm>
#include <cstring>

namespace holdfast {

namespace {
constexpr size_t kFewestShared = 256;  // blocks: fewer are done sooner than told to others
}

void Md5Lanes::begin(Md5Job& job) {
  if (kernels_.empty()) return;
  std::lock_guard lock(mutex_);
  ++open_;
  queue_.push_back(&job);
}

void Md5Lanes::finish(Md5Job& job) {
  if (kernels_.empty()) return md5_blocks(*job.state, job.blocks, job.count);
  {
    std::lock_guard lock(mutex_);
    if (job.phase_ == Phase::kDone) return;
    job.awaited_ = true;
    if (!job.taken_ && (leaders_ < leaders_at_most_ || open_ < kernels_.front().fewest)) {
      std::erase(queue_, &job);
      job.taken_ = true;
      job.phase_ = Phase::kLeads;
      ++leaders_;
    }
  }
  job.phase_.wait(Phase::kWaits);
  if (job.phase_ == Phase::kLeads) return lead(job);
  const std::lock_guard told(mutex_);  // who has told it is still at it
}

void Md5Lanes::lead(Md5Job& own) {
  Team team;
  team.jobs[team.size++] = &own;
  for (;;) {
    gather(team);
    work(team);
    if (dismiss(team, own)) return hand_over(team);
  }
}

void Md5Lanes::gather(Team& team) {
  std::lock_guard lock(mutex_);
  while (team.size < kernels_.back().lanes && !queue_.empty()) {
    queue_.front()->taken_ = true;
    team.jobs[team.size++] = queue_.front();
    queue_.pop_front();
  }
}

void Md5Lanes::work(Team& team) const {
  size_t count = kSliceBlocks;
  for (size_t i = 0; i < team.size; ++i) count = std::min(count, team.jobs[i]->count);
  const Md5LaneKernel& kernel = *std::find_if(kernels_.begin(), kernels_.end(), [&](const Md5LaneKernel& k) { return team.size <= k.lanes; });
  if (team.size < kernel.fewest) {
    for (size_t i = 0; i < team.size; ++i) md5_blocks(*team.jobs[i]->state, team.jobs[i]->blocks, count);
  } else {
    // Lanes that nobody needs do the first one's work again.
    std::array<Md5State, kMd5MostLanes> states;
    std::array<const std::byte*, kMd5MostLanes> blocks;
    for (size_t i = 0; i < kernel.lanes; ++i) {
      const Md5Job& job = *team.jobs[i < team.size ? i : 0];
      states[i] = *job.state;
      blocks[i] = job.blocks;
    }
    kernel.run(states.data(), blocks.data(), count);
    for (size_t i = 0; i < team.size; ++i) *team.jobs[i]->state = states[i];
  }
  for (size_t i = 0; i < team.size; ++i) {
    team.jobs[i]->blocks += count * kMd5BlockBytes;
    team.jobs[i]->count -= count;
  }
}

// Those that are done; whether its own is among them.
bool Md5Lanes::dismiss(Team& team, const Md5Job& own) {
  const auto still = std::stable_partition(team.jobs.begin(), team.jobs.begin() + static_cast<ptrdiff_t>(team.size), [](const Md5Job* job) { return job->count > 0; });
  const size_t kept = static_cast<size_t>(still - team.jobs.begin());
  if (kept == team.size) return false;
  std::lock_guard lock(mutex_);
  open_ -= team.size - kept;
  for (size_t i = kept; i < team.size; ++i) {
    if (team.jobs[i] == &own) continue;
    team.jobs[i]->phase_ = Phase::kDone;
    team.jobs[i]->phase_.notify_one();
  }
  team.size = kept;
  return own.count == 0;
}

void Md5Lanes::hand_over(const Team& team) {
  std::lock_guard lock(mutex_);
  for (size_t i = team.size; i-- > 0;) {
    team.jobs[i]->taken_ = false;
    queue_.push_front(team.jobs[i]);
  }
  const auto next = std::find_if(queue_.begin(), queue_.end(), [](const Md5Job* job) { return job->awaited_; });
  if (next == queue_.end()) {
    --leaders_;  // the first that waits for its own leads
    return;
  }
  Md5Job* leader = *next;
  queue_.erase(next);
  leader->taken_ = true;
  leader->phase_ = Phase::kLeads;
  leader->phase_.notify_one();
}

void LaneMd5::wait() {
  if (!running_) return;
  lanes_->finish(*running_);
  running_.reset();
}

void LaneMd5::begin(ByteSpan bytes) {
  wait();
  if (bytes.empty()) return;
  const size_t held = size_bytes_ % kMd5BlockBytes;
  size_bytes_ += bytes.size();
  if (held > 0) {
    const size_t n = std::min(bytes.size(), kMd5BlockBytes - held);
    std::memcpy(rest_.data() + held, bytes.data(), n);
    bytes = bytes.subspan(n);
    if (held + n < kMd5BlockBytes) return;
    md5_blocks(state_, rest_.data(), 1);
  }
  const size_t whole = bytes.size() / kMd5BlockBytes, left = bytes.size() % kMd5BlockBytes;
  if (left > 0) std::memcpy(rest_.data(), bytes.data() + bytes.size() - left, left);
  if (whole == 0) return;
  if (lanes_ == nullptr || whole < kFewestShared) return md5_blocks(state_, bytes.data(), whole);
  running_.emplace();
  running_->state = &state_;
  running_->blocks = bytes.data();
  running_->count = whole;
  lanes_->begin(*running_);
}

std::string LaneMd5::finish() {
  wait();
  const uint64_t bits = size_bytes_ * 8;
  std::array<std::byte, 2 * kMd5BlockBytes> tail{};
  const size_t held = size_bytes_ % kMd5BlockBytes;
  std::memcpy(tail.data(), rest_.data(), held);
  tail[held] = std::byte{0x80};
  const size_t size = held < kMd5BlockBytes - 8 ? kMd5BlockBytes : 2 * kMd5BlockBytes;
  std::memcpy(tail.data() + size - 8, &bits, 8);
  md5_blocks(state_, tail.data(), size / kMd5BlockBytes);
  return std::string(reinterpret_cast<const char*>(state_.words.data()), 16);
}

}  // namespace holdfast
