// Opens a device by its name: a path, or an iSCSI URL.
#pragma once

#include <memory>

#include "storage/device/block_device.h"

namespace holdfast {

struct DeviceOptions {
  std::string chap_user, chap_secret;            // the initiator proves itself
  std::string mutual_chap_user, mutual_chap_secret;  // the target proves itself
  std::string initiator_name;                    // empty: derived from the host
  bool header_digest = false;
  uint64_t host_key = 0;                         // reservation key of this host; not 0
  bool take_over = false;                        // preempt another host's reservation
  bool read_only_probe = false;                  // look, reserve nothing
  int request_deadline_s = 30;                   // how long a request waits for a lost session
};

// kPermissionDenied names who holds the device, when another host or process does.
Result<std::unique_ptr<BlockDevice>> open_device(const std::string& name, const DeviceOptions& options);

}  // namespace holdfast
