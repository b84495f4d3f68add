// A LUN on an iSCSI target, through libiscsi.
#pragma once

#include <memory>

#include "storage/device/open_device.h"

namespace holdfast {

// `url`: iscsi://PORTAL[:PORT]/TARGET/LUN, without secrets.
Result<std::unique_ptr<BlockDevice>> open_iscsi_device(const std::string& url, const DeviceOptions& options);

}  // namespace holdfast
