// The daemon's configuration file. Every key is described in docs/configuration.md; unknown ones are refused.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace holdfast {

struct ListenConfig {
  std::string address;
  uint16_t port = 0;
  bool tls = true;
};

struct PoolConfig {
  std::string name;
  std::string device;           // a path, or iscsi://PORTAL[:PORT]/TARGET/LUN
  std::string master_key_file;  // empty: the pool is not encrypted
  std::string chap_user;
  std::string chap_secret_file;
  std::string mutual_chap_user;
  std::string mutual_chap_secret_file;
  std::string initiator_name;
  bool header_digest = false;
  std::optional<uint32_t> cache_mib;  // of bodies that were read; default: see PoolOpenOptions
};

struct Config {
  std::string state_dir;
  std::vector<ListenConfig> listen;
  std::string certificate_file, key_file;
  std::string region = "us-east-1";
  std::string public_url;      // empty: made from the first listener
  std::string public_ca_file;  // empty: certificate_file
  std::vector<std::string> domains;
  std::string admin_socket;
  std::optional<ListenConfig> admin_listen;
  std::string admin_token_file;
  std::string log_level = "info";
  bool access_log = true;
  int stop_deadline_s = 30;
  unsigned threads = 0;
  std::vector<PoolConfig> pools;
};

// kInvalidArgument with file and line for anything that is not understood.
Result<Config> load_config(const std::string& path);

}  // namespace holdfast
