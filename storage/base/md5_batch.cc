#include "storage/base/md5_batch.h"

#include <algorithm>
#include <cstring>

namespace holdfast {

namespace {

// A body on its way through a lane: its whole blocks, then what is padded.
struct Lane {
  size_t body = 0;
  Md5State state;
  const std::byte* blocks = nullptr;
  size_t count = 0;
  Md5Tail tail;  // of count 0 once it is in `blocks`

  void take(size_t number, ByteSpan bytes) {
    body = number;
    state = {};
    blocks = bytes.data();
    count = bytes.size() / kMd5BlockBytes;
    tail = Md5Tail(bytes.subspan(count * kMd5BlockBytes), bytes.size());
    if (count == 0) go_to_tail();
  }
  void go_to_tail() {
    blocks = tail.blocks.data();
    count = std::exchange(tail.count, 0);
  }
  void advance(size_t n) {
    blocks += n * kMd5BlockBytes;
    count -= n;
    if (count == 0) go_to_tail();
  }
};

// As many blocks of each as all of them have.
void work(std::span<Lane*> lanes, std::span<const Md5LaneKernel> kernels) {
  const size_t count = (*std::ranges::min_element(lanes, {}, [](const Lane* l) { return l->count; }))->count;
  std::array<Md5Work, kMd5MostLanes> works;
  for (size_t i = 0; i < lanes.size(); ++i) works[i] = {&lanes[i]->state, lanes[i]->blocks};
  md5_blocks_of_each(kernels, std::span(works).first(lanes.size()), count);
  for (Lane* lane : lanes) lane->advance(count);
}

}  // namespace

std::vector<Md5Value> md5_of_each(std::span<const ByteSpan> bodies, std::span<const Md5LaneKernel> kernels) {
  std::vector<Md5Value> values(bodies.size());
  const size_t at_once = kernels.empty() ? 1 : kernels.back().lanes;
  std::array<Lane, kMd5MostLanes> room;
  std::vector<Lane*> lanes;
  size_t next = 0;
  for (Lane& lane : std::span(room).first(std::min(at_once, bodies.size()))) {
    lane.take(next, bodies[next]);
    lanes.push_back(&lane);
    ++next;
  }
  while (!lanes.empty()) {
    work(lanes, kernels);
    std::erase_if(lanes, [&](Lane* lane) {
      if (lane->count > 0) return false;
      std::memcpy(values[lane->body].data(), lane->state.words.data(), values[lane->body].size());
      if (next == bodies.size()) return true;
      lane->take(next, bodies[next]);
      ++next;
      return false;
    });
  }
  return values;
}

}  // namespace holdfast
