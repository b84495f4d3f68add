// A pool in a plain file (the embedded default) or on a local block device.
#pragma once

#include <memory>

#include "storage/device/block_device.h"

namespace holdfast {

struct FileDeviceOptions {
  bool create = false;          // make the file; refuses one that exists
  uint64_t create_size_bytes = 0;
};

// Opens `path` and locks it against every other process of this host (flock on a file, O_EXCL on a block
// device). Writes bypass the page cache where the file system lets them; reads of a file use it, reads of a
// block device do not. kPermissionDenied when another process holds it.
Result<std::unique_ptr<BlockDevice>> open_file_device(const std::string& path, const FileDeviceOptions& options);

}  // namespace holdfast
