#include "storage/device/iscsi_device.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "storage/base/local_lock.h"
#include "storage/base/log.h"
#include "storage/device/iscsi_call.h"
#include "storage/device/iscsi_commands.h"
#include "storage/device/iscsi_login.h"

namespace holdfast {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kReservationPeriod = std::chrono::seconds(2);
constexpr auto kHoldProofAge = std::chrono::seconds(6);
constexpr auto kReconnectPause = std::chrono::milliseconds(500);
constexpr int kLoginReadDeadlineS = 20;

enum class Op { kRead, kWrite, kFlush, kDiscard };

// One call of a user of the device; it blocks until `done`.
struct Request {
  Op op = Op::kRead;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::byte* data = nullptr;
  SteadyClock::time_point deadline;
  size_t parts_left = 0;
  Result<void> result;
  bool done = false;
  std::condition_variable changed;
};

class IscsiDevice;

// One SCSI command of a request.
struct Command {
  IscsiDevice* device = nullptr;
  std::shared_ptr<Request> request;
  uint64_t offset = 0;
  uint32_t length = 0;
  scsi_iovec iov{};
  unmap_list unmap{};
  uint64_t session = 0;
};

// All of libiscsi runs on one thread; callers hand requests over and wait.
class IscsiDevice final : public BlockDevice {
 public:
  IscsiDevice(std::string url, IscsiAddress address, DeviceOptions options)
      : address_(std::move(address)), options_(std::move(options)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    info_.name = std::move(url);
  }

  ~IscsiDevice() override {
    stopping_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
    ::close(wake_);
  }

  Result<void> start() {
    // Before the login: a second session of the same initiator would end the first one's.
    if (!options_.read_only_probe) {
      HF_TRY(lock_, LocalLock::take(address_.target + "/" + std::to_string(address_.lun), info_.name));
    }
    HF_CHECK(log_in());
    info_.identity = lun_.identity;
    info_.size_bytes = lun_.size_bytes;
    info_.block_bytes = std::max(4096u, lun_.physical_bytes);
    info_.can_discard = lun_.can_unmap;
    info_.exclusive = lun_.reservations;
    LinkInfo& link = info_.link.emplace();
    link.most_bytes = lun_.most_bytes;
    link.best_bytes = lun_.best_bytes;
    link.round_trip = iscsi_round_trip(context_.get(), address_.lun);
    link.command_bytes = command_bytes(link, info_.block_bytes, lun_.sector_bytes);
    link.command_depth = command_depth(link);
    window_ = CommandWindow(link.command_depth);
    options_.take_over = false;  // once, by an operator's word; a reconnect never preempts
    thread_ = std::thread([this] { loop(); });
    return {};
  }

  const DeviceInfo& info() const override { return info_; }
  uint64_t incarnation() const override { return incarnation_.load(); }
  std::string holder() const override { return holder_; }
  bool held() const override {
    if (fenced_) return false;
    if (!lun_.reservations) return true;
    return SteadyClock::now().time_since_epoch().count() - proven_.load() < SteadyClock::duration(kHoldProofAge).count();
  }
  void set_login_check(LoginCheck check) override {
    std::lock_guard lock(mutex_);
    login_check_ = std::move(check);
  }

  Result<void> read(uint64_t offset, MutableByteSpan out) override { return submit(Op::kRead, offset, out.data(), out.size()); }
  Result<void> write(uint64_t offset, ByteSpan in) override {
    return submit(Op::kWrite, offset, const_cast<std::byte*>(in.data()), in.size());
  }
  Result<void> flush() override { return submit(Op::kFlush, 0, nullptr, 0); }
  Result<void> discard(uint64_t offset, uint64_t length) override {
    if (!lun_.can_unmap) return {};
    return submit(Op::kDiscard, offset, nullptr, length);
  }

 private:
  static Status unavailable(const std::string& why) { return Status(Code::kUnavailable, Subject::kDevice, why); }

  void wake() {
    const uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof one);
  }

  Result<void> submit(Op op, uint64_t offset, std::byte* data, uint64_t length) {
    if (fenced_) return error(Code::kPermissionDenied, Subject::kDevice, info_.name + ": another host took the LUN over");
    if (offset % lun_.sector_bytes != 0 || length % lun_.sector_bytes != 0 || offset + length > lun_.size_bytes) {
      return error(Code::kIoError, Subject::kDevice, info_.name + ": a request outside the LUN or across sectors");
    }
    auto request = std::make_shared<Request>();
    request->op = op;
    request->offset = offset;
    request->length = length;
    request->data = data;
    request->deadline = SteadyClock::now() + std::chrono::seconds(options_.request_deadline_s);
    std::unique_lock lock(mutex_);
    incoming_.push_back(request);
    wake();
    // The loop ends every request by its deadline, once no command uses its memory any more.
    request->changed.wait(lock, [&] { return request->done; });
    return request->result;
  }

  void finish(const std::shared_ptr<Request>& request) {
    std::lock_guard lock(mutex_);
    request->done = true;
    request->changed.notify_one();
  }

  void fail_part(Command& command, Status status) {
    if (command.request->result) command.request->result = std::unexpected(std::move(status));
    part_done(command);
  }
  void part_done(Command& command) {
    if (--command.request->parts_left == 0) finish(command.request);
  }

  // --- the loop's thread from here on ---

  void loop() {
    pthread_setname_np(pthread_self(), "iscsi");
    while (!stopping_) {
      take_incoming();
      expire_waiting();
      if (!context_ && !fenced_ && SteadyClock::now() >= reconnect_at_) reconnect();
      if (context_) {
        issue();
        service();
        const bool holds = lun_.reservations && !options_.read_only_probe;
        if (context_ && holds && SteadyClock::now() - checked_ > kReservationPeriod) check_reservation();
      } else {
        wait_for(100);
      }
      if (session_broken_) drop_session();
    }
    context_.reset();  // ends what is in flight: its callbacks put it back into waiting_
    for (auto& command : waiting_) fail_part(*command, unavailable("the device was closed"));
    waiting_.clear();
  }

  void take_incoming() {
    std::deque<std::shared_ptr<Request>> taken;
    {
      std::lock_guard lock(mutex_);
      taken.swap(incoming_);
    }
    for (auto& request : taken) {
      const uint64_t step = request->op == Op::kDiscard ? unmap_bytes() : info_.link->command_bytes;
      const uint64_t parts = request->length == 0 ? 1 : (request->length + step - 1) / step;
      request->parts_left = parts;
      for (uint64_t i = 0; i < parts; ++i) {
        auto command = std::make_unique<Command>();
        command->device = this;
        command->request = request;
        command->offset = request->offset + i * step;
        command->length = static_cast<uint32_t>(std::min(step, request->length - std::min(request->length, i * step)));
        waiting_.push_back(std::move(command));
      }
    }
  }

  uint64_t unmap_bytes() const {
    const uint64_t most = lun_.max_unmap_sectors == 0 ? 65536 : std::min<uint64_t>(lun_.max_unmap_sectors, 65536);
    return most * lun_.sector_bytes;
  }

  // Requests that wait for a lost session, and those of a fenced device, end here.
  void expire_waiting() {
    const auto now = SteadyClock::now();
    for (auto& command : waiting_) {
      if (fenced_) {
        fail_part(*command, Status(Code::kPermissionDenied, Subject::kDevice, info_.name + ": another host took the LUN over"));
        command.reset();
      } else if (now > command->request->deadline) {
        fail_part(*command, unavailable(info_.name + " does not answer"));
        command.reset();
      }
    }
    std::erase(waiting_, nullptr);
  }

  void issue() {
    const auto now = SteadyClock::now();
    while (!waiting_.empty() && window_.is_open(in_flight_, now) && !session_broken_) {
      std::unique_ptr<Command> command = std::move(waiting_.front());
      waiting_.pop_front();
      if (!send(*command)) {
        waiting_.push_front(std::move(command));
        break_session("a command could not be sent");
        return;
      }
      ++in_flight_;
      command.release();  // the callback takes it back
    }
  }

  bool send(Command& c) {
    const int lun = address_.lun;
    const uint64_t lba = c.offset / lun_.sector_bytes;
    const auto sector = static_cast<int>(lun_.sector_bytes);
    std::byte* data = c.request->data == nullptr ? nullptr : c.request->data + (c.offset - c.request->offset);
    c.session = session_;
    scsi_task* task = nullptr;
    switch (c.request->op) {
      case Op::kRead:
        c.iov = {data, c.length};
        task = iscsi_read16_iov_task(context_.get(), lun, lba, c.length, sector, 0, 0, 0, 0, 0, on_done, &c, &c.iov, 1);
        break;
      case Op::kWrite:
        task = iscsi_write16_task(context_.get(), lun, lba, reinterpret_cast<unsigned char*>(data), c.length, sector, 0, 0, 0, 0,
                                  0, on_done, &c);
        break;
      case Op::kFlush:
        task = iscsi_synchronizecache16_task(context_.get(), lun, 0, 0, 0, 0, on_done, &c);
        break;
      case Op::kDiscard:
        c.unmap = {lba, c.length / lun_.sector_bytes};
        task = iscsi_unmap_task(context_.get(), lun, 0, 0, &c.unmap, 1, on_done, &c);
        break;
    }
    return task != nullptr;
  }

  static void on_done(iscsi_context*, int status, void* command_data, void* private_data) {
    std::unique_ptr<Command> command(static_cast<Command*>(private_data));
    auto* task = static_cast<scsi_task*>(command_data);
    IscsiDevice* device = command->device;
    --device->in_flight_;
    device->complete(std::move(command), status, task);
    if (task != nullptr) scsi_free_scsi_task(task);
  }

  void complete(std::unique_ptr<Command> c, int status, const scsi_task* task) {
    if (status == SCSI_STATUS_GOOD) {
      window_.done();
      if (c->request->op == Op::kRead && task->residual_status == SCSI_RESIDUAL_UNDERFLOW && task->residual > 0) {
        return fail_part(*c, Status(Code::kIoError, Subject::kDevice, info_.name + ": a short read"));
      }
      return part_done(*c);
    }
    if (status == SCSI_STATUS_RESERVATION_CONFLICT) {
      fence("a reservation conflict");
      return put_back(std::move(c));
    }
    if (status == SCSI_STATUS_CHECK_CONDITION && task != nullptr) return sense(std::move(c), task->sense);
    if (status == SCSI_STATUS_BUSY || status == SCSI_STATUS_TASK_SET_FULL) {
      window_.refused(in_flight_, SteadyClock::now());
      if (!std::exchange(told_full_, true)) spdlog::warn("iscsi: {} has no room for {} commands at once; it gets fewer", info_.name, in_flight_ + 1);
      return put_back(std::move(c));
    }
    break_session("a command had no answer in time, or the connection ended");
    put_back(std::move(c));
  }

  void sense(std::unique_ptr<Command> c, const scsi_sense& s) {
    constexpr int kReset = 0x2900, kPreempted = 0x2a03, kRegistrationsPreempted = 0x2a05, kThinFull = 0x2707;
    if (s.key == SCSI_SENSE_UNIT_ATTENTION) {
      if (s.ascq == kPreempted || s.ascq == kRegistrationsPreempted) fence("its reservation was preempted");
      // After a reset the target's cache may be gone: as bad as a lost session.
      if ((s.ascq & 0xff00) == kReset) break_session("the target was reset");
      return put_back(std::move(c));
    }
    if (s.key == SCSI_SENSE_DATA_PROTECTION && s.ascq == kThinFull) {
      return fail_part(*c, Status(Code::kOutOfSpace, Subject::kDevice, info_.name + ": the target has no space left"));
    }
    if (c->request->op == Op::kDiscard) return part_done(*c);  // a hint
    fail_part(*c, Status(Code::kIoError, Subject::kDevice,
                         info_.name + ": " + scsi_sense_key_str(s.key) + ", " + scsi_sense_ascq_str(s.ascq)));
  }

  // To be sent again in the next session, same bytes to the same place; but a flush is never just retried.
  void put_back(std::unique_ptr<Command> c) {
    if (c->request->op == Op::kFlush && (session_broken_ || fenced_)) {
      return fail_part(*c, unavailable(info_.name + ": the session ended inside a flush"));
    }
    waiting_.push_back(std::move(c));
  }

  void service() {
    pollfd fds[2] = {{iscsi_get_fd(context_.get()), static_cast<short>(iscsi_which_events(context_.get())), 0}, {wake_, POLLIN, 0}};
    if (fds[0].events == 0) fds[0].fd = -1;
    const auto rest = window_.rest(SteadyClock::now());
    ::poll(fds, 2, rest.count() > 0 ? static_cast<int>(rest.count()) : 200);
    drain_wake(fds[1].revents);
    // Time-outs are looked for by a service call without events.
    const int events = fds[0].fd >= 0 ? fds[0].revents : 0;
    if (iscsi_service(context_.get(), events) != 0) break_session("the connection ended, or the target broke the protocol");
  }

  void wait_for(int ms) {
    pollfd fd{wake_, POLLIN, 0};
    ::poll(&fd, 1, ms);
    drain_wake(fd.revents);
  }

  void drain_wake(short revents) {
    uint64_t n = 0;
    if ((revents & POLLIN) != 0) (void)!::read(wake_, &n, sizeof n);
  }

  void drop_session() {
    spdlog::warn("iscsi: session to {} lost: {}; reconnecting", info_.name, session_broken_why_);
    ++incarnation_;
    // Destroying the context calls every callback with "cancelled": each puts its command back.
    session_broken_ = true;
    context_.reset();
    session_broken_ = false;
    // Flushes that had not been sent belong to the old session's writes.
    for (auto& c : waiting_) {
      if (c->request->op != Op::kFlush) continue;
      fail_part(*c, unavailable(info_.name + ": the session ended before a flush"));
      c.reset();
    }
    std::erase(waiting_, nullptr);
    reconnect_at_ = SteadyClock::now();
  }

  void reconnect() {
    auto done = log_in();
    if (done) {
      spdlog::warn("iscsi: session to {} is back", info_.name);
      return;
    }
    context_.reset();
    if (done.error().code() == Code::kPermissionDenied) fence(done.error().message());
    reconnect_at_ = SteadyClock::now() + kReconnectPause;
  }

  Result<void> log_in() {
    IscsiLun lun;
    HF_TRY(context_, iscsi_log_in(address_, options_, lun));
    const bool first = lun_.size_bytes == 0;
    if (!first && (lun.identity != lun_.identity || lun.size_bytes < lun_.size_bytes)) {
      return error(Code::kPermissionDenied, Subject::kDevice, info_.name + " is another LUN than before");
    }
    lun_ = lun;
    if (options_.read_only_probe) {
      holder_ = lun.reservations ? iscsi_reservation_holder(context_.get(), address_.lun) : "the target offers no reservations";
      return {};
    }
    if (lun.reservations) HF_CHECK(iscsi_reserve(context_.get(), address_.lun, options_));
    LoginCheck check;
    {
      std::lock_guard lock(mutex_);
      check = login_check_;
    }
    if (check) {
      HF_CHECK(check([this](uint64_t offset, MutableByteSpan out) { return read_now(offset, out); }));
    }
    proven_ = SteadyClock::now().time_since_epoch().count();
    checked_ = SteadyClock::now();
    ++session_;
    return {};
  }

  // A read inside the login, before anything else is sent.
  Result<void> read_now(uint64_t offset, MutableByteSpan out) {
    const ScsiTask task = call_scsi(context_.get(), [&](iscsi_context* c, iscsi_command_cb callback, void* data) {
      return iscsi_read16_task(c, address_.lun, offset / lun_.sector_bytes, static_cast<uint32_t>(out.size()),
                               static_cast<int>(lun_.sector_bytes), 0, 0, 0, 0, 0, callback, data);
    }, kLoginReadDeadlineS);
    const bool good = task && task->status == SCSI_STATUS_GOOD && task->datain.size >= static_cast<int>(out.size());
    if (good) std::memcpy(out.data(), task->datain.data, out.size());
    if (!good) return error(unavailable(info_.name + ": a read at login failed"));
    return {};
  }

  void check_reservation() {
    checked_ = SteadyClock::now();
    // The call serves the commands in flight meanwhile.
    const auto mine = iscsi_check_reservation(context_.get(), address_.lun, options_.host_key);
    if (mine) {
      proven_ = SteadyClock::now().time_since_epoch().count();
    } else if (mine.error().code() == Code::kPermissionDenied) {
      fence(mine.error().message());
    } else {
      break_session(mine.error().message());
    }
  }

  void break_session(const std::string& why) {
    if (!std::exchange(session_broken_, true)) session_broken_why_ = why;  // what follows from it is told no more
  }

  void fence(const std::string& why) {
    if (!fenced_.exchange(true)) spdlog::critical("iscsi: {} is lost to this host: {}; it serves nothing more", info_.name, why);
  }

  DeviceInfo info_;
  const IscsiAddress address_;
  DeviceOptions options_;
  const int wake_;
  IscsiLun lun_;
  LocalLock lock_;  // the reservation is the host's, not this process's
  std::string holder_;
  std::atomic<uint64_t> incarnation_{0};
  std::atomic<bool> fenced_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<SteadyClock::rep> proven_{0};
  std::mutex mutex_;
  std::deque<std::shared_ptr<Request>> incoming_;
  LoginCheck login_check_;
  std::thread thread_;

  IscsiContext context_;
  uint64_t session_ = 0;
  bool session_broken_ = false;
  std::string session_broken_why_;
  size_t in_flight_ = 0;
  CommandWindow window_{1};
  bool told_full_ = false;
  std::deque<std::unique_ptr<Command>> waiting_;
  SteadyClock::time_point reconnect_at_;
  SteadyClock::time_point checked_;
};

}  // namespace

Result<std::unique_ptr<BlockDevice>> open_iscsi_device(const std::string& url, const DeviceOptions& options) {
  HF_TRY(IscsiAddress address, parse_iscsi_url(url));
  auto device = std::make_unique<IscsiDevice>(url, std::move(address), options);
  HF_CHECK(device->start());
  return device;
}

}  // namespace holdfast
