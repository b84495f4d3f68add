#include "daemon/app/open_pools.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/app/secrets.h"
#include "storage/base/digest.h"
#include "storage/base/host.h"
#include "storage/crypto/key_file.h"

namespace holdfast {

namespace {

// One reservation key a host: it survives restarts of the daemon, and no other host has it.
uint64_t host_key() {
  std::ifstream file("/etc/machine-id");
  std::string id;
  std::getline(file, id);
  if (id.empty()) id = host_name();
  const std::string digest = Digest::of(DigestKind::kSha256, as_bytes("holdfast host " + id));
  return load_le<uint64_t>(as_bytes(digest).data()) | 1;
}

}  // namespace

std::string holder_text() {
  return host_name() + " pid " + std::to_string(::getpid());
}

Result<DeviceOptions> device_options(const PoolConfig& pool) {
  DeviceOptions o;
  o.chap_user = pool.chap_user;
  HF_TRY(o.chap_secret, read_secret_file(pool.chap_secret_file));
  o.mutual_chap_user = pool.mutual_chap_user;
  HF_TRY(o.mutual_chap_secret, read_secret_file(pool.mutual_chap_secret_file));
  o.initiator_name = pool.initiator_name;
  o.header_digest = pool.header_digest;
  o.host_key = host_key();
  return o;
}

Result<std::unique_ptr<Pool>> open_pool(const Config& config, const PoolConfig& pool, const OpenFlags& flags, Clock& clock,
                                        Random& random) {
  PoolOpenOptions open;
  if (!pool.master_key_file.empty()) {
    HF_TRY(open.master_key, load_key_file(pool.master_key_file));
  }
  HF_TRY(DeviceOptions options, device_options(pool));
  options.take_over = flags.take_over;
  HF_TRY(auto device, open_device(pool.device, options));
  const std::string directory = config.state_dir + "/index";
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failed);
  if (failed) return error(Code::kIoError, Subject::kConfig, "directory " + directory + ": " + failed.message());
  open.index_path = directory + "/" + pool.name + ".sqlite3";
  open.accept_loss = flags.accept_loss;
  open.take_over = flags.take_over;
  open.moved_device = flags.moved_device;
  open.rebuild_index = flags.rebuild_index;
  open.ignore_snapshots = flags.ignore_snapshots;
  open.holder = holder_text();
  if (pool.cache_mib) open.cache_bytes = uint64_t{*pool.cache_mib} << 20;
  auto opened = Pool::open(std::move(device), open, clock, random);
  if (!opened) return std::unexpected(opened.error().with_context("pool \"" + pool.name + "\""));
  if ((*opened)->name() != pool.name) {
    return error(Code::kFailedPrecondition, Subject::kPool,
                 pool.device + " holds the pool \"" + (*opened)->name() + "\", not \"" + pool.name + "\"");
  }
  return opened;
}

}  // namespace holdfast
