// Opening the configured pools.
#pragma once

#include "daemon/app/config.h"
#include "storage/device/open_device.h"
#include "storage/object/pool.h"

namespace holdfast {

struct OpenFlags {
  bool take_over = false;
  bool moved_device = false;
  bool ignore_snapshots = false;
  bool accept_loss = false;
  bool rebuild_index = false;
};

// The options that a pool's configuration gives its device, secrets read.
Result<DeviceOptions> device_options(const PoolConfig& pool);

Result<std::unique_ptr<Pool>> open_pool(const Config& config, const PoolConfig& pool, const OpenFlags& flags, Clock& clock,
                                        Random& random);

// host name and process number
std::string holder_text();

}  // namespace holdfast
