#include "storage/base/md5_lanes.h"

#include <algorithm>
#include <cstring>

namespace holdfast {

namespace {
constexpr size_t kFewestShared = 256;  // blocks: fewer are done sooner than told to others
}

void Md5Lanes::begin(Md5Stream& stream, const std::byte* blocks, size_t count) {
  if (kernels_.empty()) return md5_blocks(stream.state_, blocks, count);
  std::lock_guard lock(mutex_);
  ++stream.begun_;
  stream.pieces_.push_back({blocks, count});
  if (stream.pieces_.size() > 1) return;
  ++open_;
  queue_.push_back(&stream);
}

// With the lock held. Where too few have anything to do for a lane each, nobody is in the way of the others.
bool Md5Lanes::may_lead(const Md5Stream& stream) const { return !stream.taken_ && (leaders_ < leaders_at_most_ || open_ < kernels_.front().fewest); }

void Md5Lanes::wait(Md5Stream& stream, size_t undone_at_most) {
  std::unique_lock lock(mutex_);
  if (stream.begun_ - stream.done_ <= undone_at_most) return;
  const uint64_t target = stream.begun_ - undone_at_most;
  stream.awaited_ = target;
  if (may_lead(stream)) {
    std::erase(queue_, &stream);
    stream.taken_ = stream.leads_ = true;
    ++leaders_;
  }
  while (!stream.leads_ && stream.done_ < target) {
    const uint32_t known = stream.news_;
    lock.unlock();
    stream.news_.wait(known);
    lock.lock();
  }
  stream.awaited_ = 0;
  if (!std::exchange(stream.leads_, false)) return;
  lock.unlock();
  lead(stream, target);
}

void Md5Lanes::lead(Md5Stream& own, uint64_t target) {
  Team team;
  {
    std::lock_guard lock(mutex_);
    team.add(own);
  }
  do {
    gather(team);
    work(team);
  } while (!settle(team, own, target));
  hand_over(team);
}

void Md5Lanes::gather(Team& team) {
  std::lock_guard lock(mutex_);
  while (team.size < kernels_.back().lanes && !queue_.empty()) {
    queue_.front()->taken_ = true;
    team.add(*queue_.front());
    queue_.pop_front();
  }
}

void Md5Lanes::work(Team& team) const {
  size_t count = kSliceBlocks;
  for (size_t i = 0; i < team.size; ++i) count = std::min(count, team.members[i].piece.count);
  std::array<Md5Work, kMd5MostLanes> works;
  for (size_t i = 0; i < team.size; ++i) works[i] = {&team.members[i].stream->state_, team.members[i].piece.blocks};
  md5_blocks_of_each(kernels_, std::span(works).first(team.size), count);
  for (size_t i = 0; i < team.size; ++i) {
    team.members[i].piece.blocks += count * kMd5BlockBytes;
    team.members[i].piece.count -= count;
  }
}

// Goes on to the next pieces of those whose first is done, and lets those without any go; whether as many of its own are done as it is to do.
bool Md5Lanes::settle(Team& team, const Md5Stream& own, uint64_t target) {
  const auto members = std::span(team.members).first(team.size);
  if (std::none_of(members.begin(), members.end(), [](const Member& m) { return m.piece.count == 0; })) return false;
  std::lock_guard lock(mutex_);
  team.size = 0;
  for (Member& m : members) {
    Md5Stream& s = *m.stream;
    if (m.piece.count == 0) {
      s.pieces_.pop_front();
      ++s.done_;
      if (s.pieces_.empty()) {
        s.taken_ = false;
        --open_;
      } else {
        m.piece = s.pieces_.front();
      }
      if (s.awaited_ != 0 && s.done_ >= s.awaited_) tell(s);
    }
    if (s.taken_) team.members[team.size++] = m;
  }
  return own.done_ >= target;
}

// With the lock held: who is told may let the stream go once he has it.
void Md5Lanes::tell(Md5Stream& stream) {
  ++stream.news_;
  stream.news_.notify_one();
}

void Md5Lanes::hand_over(const Team& team) {
  std::lock_guard lock(mutex_);
  for (size_t i = team.size; i-- > 0;) {
    Md5Stream& s = *team.members[i].stream;
    s.pieces_.front() = team.members[i].piece;
    s.taken_ = false;
    queue_.push_front(&s);
  }
  const auto next = std::find_if(queue_.begin(), queue_.end(), [](const Md5Stream* s) { return s->awaited_ != 0; });
  if (next == queue_.end()) {
    --leaders_;  // the first that waits for its own leads
    return;
  }
  Md5Stream& leader = **next;
  queue_.erase(next);
  leader.taken_ = leader.leads_ = true;
  tell(leader);
}

void LaneMd5::wait(size_t undone_at_most) {
  if (lanes_ != nullptr) lanes_->wait(stream_, undone_at_most);
}

void LaneMd5::do_now(const std::byte* blocks, size_t count) {
  wait(0);
  md5_blocks(stream_.state(), blocks, count);
}

void LaneMd5::begin(ByteSpan bytes) {
  if (bytes.empty()) return;
  const size_t held = size_bytes_ % kMd5BlockBytes;
  size_bytes_ += bytes.size();
  if (held > 0) {
    const size_t n = std::min(bytes.size(), kMd5BlockBytes - held);
    std::memcpy(rest_.data() + held, bytes.data(), n);
    bytes = bytes.subspan(n);
    if (held + n < kMd5BlockBytes) return;
    do_now(rest_.data(), 1);
  }
  const size_t whole = bytes.size() / kMd5BlockBytes, left = bytes.size() % kMd5BlockBytes;
  if (left > 0) std::memcpy(rest_.data(), bytes.data() + bytes.size() - left, left);
  if (whole == 0) return;
  if (lanes_ == nullptr || whole < kFewestShared) return do_now(bytes.data(), whole);
  lanes_->begin(stream_, bytes.data(), whole);
}

std::string LaneMd5::finish() {
  const Md5Tail tail(ByteSpan(rest_).first(size_bytes_ % kMd5BlockBytes), size_bytes_);
  do_now(tail.blocks.data(), tail.count);
  return std::string(reinterpret_cast<const char*>(stream_.state().words.data()), 16);
}

}  // namespace holdfast
