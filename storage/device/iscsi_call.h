// Single commands on an iSCSI session, waited for. Private to storage/device.
//
// libiscsi's own synchronous calls keep their state on the stack. When a session breaks inside one, the command stays
// queued, and ending the context later writes to that dead stack. Here the state lives until its callback came.
#pragma once

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include <functional>
#include <memory>
#include <string>

namespace holdfast {

struct FreeScsiTask {
  void operator()(scsi_task* task) const { scsi_free_scsi_task(task); }
};
using ScsiTask = std::unique_ptr<scsi_task, FreeScsiTask>;

// Queues one command with the callback and its data; nullptr when it could not.
using SendScsi = std::function<scsi_task*(iscsi_context*, iscsi_command_cb, void*)>;

// Sends and waits, serving whatever else is under way on the session. The answer of any status, or null when there is
// none: then the session is to be given up. A target that is busy, or has no room, is asked again. `deadline_s` bounds each wait.
ScsiTask call_scsi(iscsi_context* context, const SendScsi& send, int deadline_s);

// Connects and logs in. False: iscsi_get_error() says why.
bool connect_and_log_in(iscsi_context* context, const std::string& portal, int lun, int deadline_s);

// LOGICAL UNIT RESET; false where the target does not do it.
bool reset_lun(iscsi_context* context, int lun, int deadline_s);

}  // namespace holdfast
