// What the command line does to devices directly, while no daemon holds them.
#pragma once

#include <functional>
#include <optional>

#include "daemon/app/config.h"
#include "storage/crypto/aead.h"
#include "storage/device/block_device.h"
#include "storage/types.h"

namespace holdfast {

class Store;

struct InitRequest {
  // Everything below one directory; empty: /etc/holdfast, /var/lib/holdfast and /run/holdfast, where the systemd
  // unit and the command line look.
  std::string directory;
  std::string device;         // empty: a file pool
  uint64_t file_bytes = 0;    // size of the file pool
  std::string pool_name = "main";
  bool encrypted = true;
  std::string listen = "0.0.0.0:9000";
  bool plain_http = false;
  std::string certificate_file, key_file;
  PoolConfig iscsi;           // its connection fields, when the device is a LUN
};

struct InitResult {
  std::string config_file;
  std::string access_key, secret_key;
  std::string credentials_file;
  std::string recovery_key;   // to be printed once, stored nowhere
};

// What a new pool begins with.
struct PoolSeed {
  std::optional<SecretKey> recovery_key;     // none: a new one is made
  std::function<Result<User>(Store&)> fill;  // gives the user whose credentials are written down; empty: makes an admin
};

// Formats the device, makes the master key, the first admin user and the configuration file. Refuses to touch
// anything that exists already.
Result<InitResult> init_appliance(const InitRequest& request, const PoolSeed& seed = {});

struct ProbeResult {
  std::string device, identity;
  uint64_t size_bytes = 0;
  uint32_t block_bytes = 0;
  bool has_pool = false;
  std::string pool_name, pool_id, holder, problem;
  uint32_t epoch = 0;
  bool encrypted = false;
  std::optional<LinkInfo> link;  // of a LUN
  std::string reservation;  // who holds it, as far as the device tells
};
// Reads what is on a device; writes nothing.
Result<ProbeResult> probe_device(const PoolConfig& pool);

// Formats a further pool. Gives the recovery key.
Result<std::string> create_pool(const PoolConfig& pool, uint64_t file_bytes, bool encrypted);

}  // namespace holdfast
