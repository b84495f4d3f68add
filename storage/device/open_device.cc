#include "storage/device/open_device.h"

#include "storage/device/file_device.h"
#include "storage/device/iscsi_device.h"

namespace holdfast {

Result<std::unique_ptr<BlockDevice>> open_device(const std::string& name, const DeviceOptions& options) {
  if (name.starts_with("iscsi://")) return open_iscsi_device(name, options);
  return open_file_device(name, {});
}

}  // namespace holdfast
