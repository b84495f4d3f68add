#include "storage/device/iscsi_call.h"

#include <poll.h>

#include <chrono>

namespace holdfast {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRestMs = 20;

struct Call {
  bool done = false;
  bool abandoned = false;  // nobody waits any more: the callback frees this
  int status = SCSI_STATUS_ERROR;
  scsi_task* task = nullptr;
};

void finish(Call* call, int status, scsi_task* task) {
  call->done = true;
  call->status = status;
  call->task = task;
  if (!call->abandoned) return;
  if (task != nullptr) scsi_free_scsi_task(task);
  delete call;
}

void on_scsi(iscsi_context*, int status, void* command_data, void* private_data) {
  finish(static_cast<Call*>(private_data), status, static_cast<scsi_task*>(command_data));
}

void on_step(iscsi_context*, int status, void*, void* private_data) { finish(static_cast<Call*>(private_data), status, nullptr); }

// Sends and waits for the callback. Without it the call is left to its callback, which comes at the latest with the
// context's end.
std::unique_ptr<Call> run(iscsi_context* context, int deadline_s, const std::function<bool(Call*)>& send) {
  auto call = std::make_unique<Call>();
  if (!send(call.get())) return nullptr;
  const auto end = SteadyClock::now() + std::chrono::seconds(deadline_s);
  while (!call->done && SteadyClock::now() < end) {
    pollfd fd{iscsi_get_fd(context), static_cast<short>(iscsi_which_events(context)), 0};
    if (fd.events == 0) fd.fd = -1;
    ::poll(&fd, 1, 100);
    // Without events it looks for time-outs.
    if (iscsi_service(context, fd.fd >= 0 ? fd.revents : 0) != 0) break;
  }
  if (call->done) return call;
  call.release()->abandoned = true;
  return nullptr;
}

ScsiTask call_once(iscsi_context* context, const SendScsi& send, int deadline_s) {
  const auto call = run(context, deadline_s, [&](Call* c) { return send(context, on_scsi, c) != nullptr; });
  if (!call) return nullptr;
  ScsiTask task(call->task);
  // Cancelled and timed-out commands have a task too, but no answer.
  const int status = call->status;
  const bool answered = status == SCSI_STATUS_GOOD || status == SCSI_STATUS_CHECK_CONDITION || status == SCSI_STATUS_BUSY ||
                        status == SCSI_STATUS_RESERVATION_CONFLICT || status == SCSI_STATUS_TASK_SET_FULL;
  return answered ? std::move(task) : nullptr;
}

bool good(const std::unique_ptr<Call>& call) { return call && call->status == SCSI_STATUS_GOOD; }

}  // namespace

ScsiTask call_scsi(iscsi_context* context, const SendScsi& send, int deadline_s) {
  const auto end = SteadyClock::now() + std::chrono::seconds(deadline_s);
  for (;;) {
    ScsiTask task = call_once(context, send, deadline_s);
    const bool refused = task && (task->status == SCSI_STATUS_BUSY || task->status == SCSI_STATUS_TASK_SET_FULL);
    if (!refused || SteadyClock::now() > end) return task;
    ::poll(nullptr, 0, kRestMs);
  }
}

bool connect_and_log_in(iscsi_context* context, const std::string& portal, int lun, int deadline_s) {
  return good(run(context, deadline_s, [&](Call* c) {
    return iscsi_full_connect_async(context, portal.c_str(), lun, on_step, c) == 0;
  }));
}

bool reset_lun(iscsi_context* context, int lun, int deadline_s) {
  return good(run(context, deadline_s, [&](Call* c) {
    return iscsi_task_mgmt_lun_reset_async(context, static_cast<uint32_t>(lun), on_step, c) == 0;
  }));
}

}  // namespace holdfast
