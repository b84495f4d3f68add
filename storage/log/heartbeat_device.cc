#include "storage/log/heartbeat_device.h"

#include <thread>

#include "storage/base/checksum.h"
#include "storage/base/log.h"

namespace holdfast {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr uint64_t kMagic = 0x3154414542465348;  // "HSFBEAT1"
constexpr size_t kHeadBytes = 12;
constexpr int kTakeOverTries = 5;

}  // namespace

Result<std::unique_ptr<HeartbeatDevice>> HeartbeatDevice::claim(std::unique_ptr<BlockDevice> device,
                                                                const HeartbeatOptions& options, Random& random) {
  std::unique_ptr<HeartbeatDevice> d(new HeartbeatDevice(std::move(device), options));
  random.fill(d->opening_);
  if (!options.take_over) HF_CHECK(d->watch());
  HF_CHECK(d->settle());
  d->worker_ = std::make_unique<Worker>("heartbeat", [raw = d.get()](std::stop_token) {
    const auto done = raw->beat();
    const bool failing = !done && !raw->lost_;
    if (failing && !raw->failing_) spdlog::warn("heartbeat of {}: {}", raw->info().name, done.error().to_string());
    raw->failing_ = failing;
    return raw->options_.timing.beat;
  });
  return d;
}

HeartbeatDevice::~HeartbeatDevice() {
  if (!worker_) return;
  worker_->stop();
  if (!lost_ && beat()) (void)write_mark(true);
}

Result<std::optional<HeartbeatDevice::Mark>> HeartbeatDevice::read_mark() {
  AlignedBuffer block(device_->info().block_bytes);
  HF_CHECK(device_->read(kHeartbeatOffset, block.span()));
  ByteReader r(block.span());
  if (r.u64() != kMagic) return std::optional<Mark>();
  // A mark torn by a power cut is nobody's.
  if (r.u32() != crc32c(ByteSpan(block.span()).subspan(kHeadBytes))) return std::optional<Mark>();
  Mark mark;
  const ByteSpan pool = r.raw(options_.pool_id.size());
  const ByteSpan opening = r.raw(mark.opening.size());
  mark.count = r.u64();
  mark.released = r.u8() != 0;
  mark.holder = r.text();
  if (!r.ok() || !std::equal(pool.begin(), pool.end(), options_.pool_id.begin())) return std::optional<Mark>();
  std::copy(opening.begin(), opening.end(), mark.opening.begin());
  return std::optional<Mark>(std::move(mark));
}

Result<void> HeartbeatDevice::write_mark(bool released) {
  ByteWriter w;
  w.raw(options_.pool_id);
  w.raw(opening_);
  w.u64(++count_);
  w.u8(released ? 1 : 0);
  w.text(options_.holder.substr(0, 1024));
  AlignedBuffer block(device_->info().block_bytes);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data() + kHeadBytes, w.bytes().data(), w.size());
  ByteWriter head;
  head.u64(kMagic);
  head.u32(crc32c(ByteSpan(block.span()).subspan(kHeadBytes)));
  std::memcpy(block.data(), head.bytes().data(), kHeadBytes);
  return device_->write(kHeartbeatOffset, block.span());
}

// Nobody may be seen to write the mark while it is watched.
Result<void> HeartbeatDevice::watch() {
  HF_TRY(const std::optional<Mark> found, read_mark());
  if (!found || found->released) return {};
  spdlog::info("{}: watching the mark of \"{}\" for {} s", info().name, found->holder, options_.timing.watch.count() / 1000.0);
  const auto end = SteadyClock::now() + options_.timing.watch;
  while (SteadyClock::now() < end) {
    std::this_thread::sleep_for(std::min(options_.timing.beat / 4, options_.timing.watch));
    HF_TRY(const std::optional<Mark> now, read_mark());
    if (now == found) continue;
    if (now && now->released) return {};
    return error(Code::kPermissionDenied, Subject::kDevice,
                 info().name + " is held by \"" + (now ? now->holder : found->holder) + "\": its heartbeat moves");
  }
  return {};
}

Status HeartbeatDevice::lost() const {
  return Status(Code::kPermissionDenied, Subject::kDevice, info().name + " is held by another host");
}

// Two that found nobody at the same time: the mark that stands is the later one's, and the earlier sees it here.
Result<void> HeartbeatDevice::settle() {
  for (int tries = options_.take_over ? kTakeOverTries : 1; tries > 0; --tries) {
    HF_CHECK(write_mark(false));
    std::this_thread::sleep_for(options_.timing.claim);
    HF_TRY(const std::optional<Mark> now, read_mark());
    if (now && now->opening == opening_) break;
  }
  return beat();
}

Result<void> HeartbeatDevice::beat() {
  if (lost_) return error(lost());
  HF_TRY(const std::optional<Mark> now, read_mark());
  if (!now || now->opening != opening_) {
    lost_ = true;
    const std::string who = now ? now->holder : std::string("nobody that can be read");
    spdlog::critical("{} is lost to this host: its heartbeat is of \"{}\"; it serves nothing more", info().name, who);
    return error(Code::kPermissionDenied, Subject::kDevice, info().name + " was taken by \"" + who + "\"");
  }
  const auto began = SteadyClock::now();
  HF_CHECK(write_mark(false));
  proven_ = began.time_since_epoch().count();
  return {};
}

bool HeartbeatDevice::held() const {
  const auto age = SteadyClock::now().time_since_epoch().count() - proven_.load();
  return !lost_ && age < SteadyClock::duration(options_.timing.stale).count() && device_->held();
}

// A process that was stopped for a while must not write before it has looked again.
Result<void> HeartbeatDevice::may_write() const {
  if (lost_) return error(lost());
  if (!held()) return error(Code::kUnavailable, Subject::kDevice, info().name + ": the last heartbeat is too long ago");
  return {};
}

Result<void> HeartbeatDevice::write(uint64_t offset, ByteSpan in) {
  HF_CHECK(may_write());
  return device_->write(offset, in);
}

Result<void> HeartbeatDevice::flush() {
  HF_CHECK(may_write());
  return device_->flush();
}

Result<void> HeartbeatDevice::discard(uint64_t offset, uint64_t length) {
  HF_CHECK(may_write());
  return device_->discard(offset, length);
}

}  // namespace holdfast
