#include "storage/device/iscsi_device.h"
namespace holdfast {
Result<std::unique_ptr<BlockDevice>> open_iscsi_device(const std::string&, const DeviceOptions&) { return error(Code::kUnimplemented, "x"); }
}
