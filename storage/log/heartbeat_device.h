// Keeps a second host away from a device that cannot reserve itself: one block is written again and again while the
// device is held. Who finds it moving stays away; who finds another's mark in it serves nothing more.
#pragma once

#include <atomic>
#include <chrono>

#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"
#include "storage/device/block_device.h"
#include "storage/log/layout.h"

namespace holdfast {

struct HeartbeatTiming {
  std::chrono::milliseconds beat{2000};
  std::chrono::milliseconds watch{10000};  // how long a mark must stand still before it counts as left behind
  std::chrono::milliseconds claim{3000};   // how long an own mark must stand before it counts; over one beat
  std::chrono::milliseconds stale{6000};   // without a beat for so long nothing is served
};

struct HeartbeatOptions {
  PoolId pool_id{};
  std::string holder;      // host and process, for people
  bool take_over = false;  // an operator's word that the other host is gone: do not watch
  HeartbeatTiming timing;
};

// Passes everything on to the device it owns, but for writes while the claim is lost (kPermissionDenied) or its last
// beat too old (kUnavailable).
class HeartbeatDevice final : public BlockDevice {
 public:
  // Watches, then claims: blocks for `watch` when somebody's mark was left behind, for `claim` always.
  // kPermissionDenied names who holds the device. A takeover insists: a beat of the other host that was under way
  // covers the new mark, so the mark is written again, a few times, until it stands.
  static Result<std::unique_ptr<HeartbeatDevice>> claim(std::unique_ptr<BlockDevice> device, const HeartbeatOptions& options,
                                                        Random& random);
  // Leaves a mark that says so: the next opening need not watch.
  ~HeartbeatDevice() override;

  const DeviceInfo& info() const override { return device_->info(); }
  Result<void> read(uint64_t offset, MutableByteSpan out) override { return device_->read(offset, out); }
  Result<bool> read_cached(uint64_t offset, MutableByteSpan out) override { return device_->read_cached(offset, out); }
  void fill_cache(uint64_t offset, uint64_t length) override { device_->fill_cache(offset, length); }
  Result<void> write(uint64_t offset, ByteSpan in) override;
  Result<void> flush() override;
  Result<void> discard(uint64_t offset, uint64_t length) override;
  uint64_t incarnation() const override { return device_->incarnation(); }
  bool held() const override;
  void set_login_check(LoginCheck check) override { device_->set_login_check(std::move(check)); }
  std::string holder() const override { return device_->holder(); }

 private:
  struct Mark {
    std::array<std::byte, 8> opening{};
    uint64_t count = 0;
    bool released = false;
    std::string holder;
    bool operator==(const Mark&) const = default;
  };

  HeartbeatDevice(std::unique_ptr<BlockDevice> device, HeartbeatOptions options)
      : device_(std::move(device)), options_(std::move(options)) {}
  Result<std::optional<Mark>> read_mark();
  Result<void> write_mark(bool released);
  Result<void> watch();
  Result<void> settle();
  Status lost() const;
  Result<void> beat();
  Result<void> may_write() const;

  std::unique_ptr<BlockDevice> device_;
  const HeartbeatOptions options_;
  std::array<std::byte, 8> opening_{};
  uint64_t count_ = 0;
  bool failing_ = false;  // said once, not at every beat
  std::atomic<bool> lost_{false};
  std::atomic<std::chrono::steady_clock::rep> proven_{0};
  std::unique_ptr<Worker> worker_;
};

}  // namespace holdfast
