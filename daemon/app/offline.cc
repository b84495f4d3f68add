#include "daemon/app/offline.h"

#include <filesystem>
#include <fstream>

#include "daemon/admin/admin_json.h"
#include "daemon/app/open_pools.h"
#include "daemon/app/secrets.h"
#include "storage/crypto/key_file.h"
#include "storage/device/file_device.h"
#include "storage/object/store.h"

#include <boost/json.hpp>

namespace holdfast {

namespace {

// Opens or, for a new file, makes the device.
Result<std::unique_ptr<BlockDevice>> device_to_format(const PoolConfig& pool, bool new_file, uint64_t file_bytes) {
  if (new_file) {
    FileDeviceOptions options;
    options.create = true;
    options.create_size_bytes = file_bytes;
    return open_file_device(pool.device, options);
  }
  HF_TRY(const DeviceOptions options, device_options(pool));
  return open_device(pool.device, options);
}

// Files that are gone again unless what they belong to came about.
class NewFiles {
 public:
  NewFiles() = default;
  NewFiles(const NewFiles&) = delete;
  ~NewFiles() {
    std::error_code ignored;
    for (const std::string& p : paths_) std::filesystem::remove(p, ignored);
  }
  void add(const std::string& path) { paths_.push_back(path); }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

Result<std::string> format(const PoolConfig& pool, uint64_t file_bytes, bool encrypted, const std::optional<SecretKey>& recovery_key) {
  SystemClock clock;
  SystemRandom random;
  PoolCreateOptions create;
  create.name = pool.name;
  create.encrypted = encrypted;
  std::string recovery_text;
  NewFiles made;
  std::error_code ignored;
  const bool new_file = !pool.device.starts_with("iscsi://") && !std::filesystem::exists(pool.device, ignored);
  if (new_file) made.add(pool.device);
  HF_TRY(auto device, device_to_format(pool, new_file, file_bytes));
  if (auto existing = read_superblock(*device); existing || existing.error().code() != Code::kNotFound) {
    return error(Code::kAlreadyExists, Subject::kPool,
                 pool.device + " holds " + (existing ? "the pool \"" + existing->pool_name + "\"" : "a damaged pool"));
  }
  if (encrypted) {
    HF_TRY(create.master_key, create_key_file(pool.master_key_file, random));
    made.add(pool.master_key_file);
    create.recovery_key = recovery_key ? *recovery_key : SecretKey::random(random);
    recovery_text = recovery_key_text(*create.recovery_key);
  }
  HF_CHECK(Pool::create(*device, create, clock, random));
  made.keep();
  return recovery_text;
}

struct Places {
  std::string config;  // with the keys
  std::string state;
  std::string pools;   // of file pools
  std::string socket;
};

Places places_of(const InitRequest& r) {
  if (r.directory.empty()) return {"/etc/holdfast", "/var/lib/holdfast/state", "/var/lib/holdfast", "/run/holdfast/admin.sock"};
  std::error_code failed;
  const std::string d = std::filesystem::absolute(r.directory, failed).lexically_normal().string();
  return {d, d + "/state", d, d + "/admin.sock"};
}

std::string config_text(const InitRequest& r, const PoolConfig& pool, const Places& places) {
  std::string text = "# Holdfast. Every key is described in docs/configuration.md.\n";
  text += "state_dir: " + places.state + "\n";
  text += "listen:\n  - address: \"" + r.listen + "\"\n";
  if (r.plain_http) text += "    plain_http: true\n";
  if (!r.plain_http) text += "tls:\n  certificate_file: " + r.certificate_file + "\n  key_file: " + r.key_file + "\n";
  text += "admin:\n  socket: " + places.socket + "\n";
  text += "pools:\n  - name: " + pool.name + "\n    device: " + pool.device + "\n";
  if (!pool.master_key_file.empty()) text += "    master_key_file: " + pool.master_key_file + "\n";
  if (!pool.chap_user.empty() || pool.header_digest) {
    text += "    iscsi:\n";
    if (!pool.chap_user.empty()) text += "      chap_user: " + pool.chap_user + "\n      chap_secret_file: " + pool.chap_secret_file + "\n";
    if (!pool.mutual_chap_user.empty()) {
      text += "      mutual_chap_user: " + pool.mutual_chap_user + "\n      mutual_chap_secret_file: " + pool.mutual_chap_secret_file + "\n";
    }
    if (!pool.initiator_name.empty()) text += "      initiator_name: " + pool.initiator_name + "\n";
    if (pool.header_digest) text += "      header_digest: true\n";
  }
  return text;
}

// Opens the new pool once to put into it what it begins with.
Result<User> fill_pool(const Config& config, const PoolConfig& pool, const PoolSeed& seed) {
  SystemClock clock;
  SystemRandom random;
  HF_TRY(auto opened, open_pool(config, pool, {}, clock, random));
  Store store({opened.get()});
  if (seed.fill) return seed.fill(store);
  HF_TRY(User user, user_from_json({{"role", "admin"}, {"name", "admin"}}, random));
  HF_CHECK(store.put_user(user));
  return user;
}

}  // namespace

Result<InitResult> init_appliance(const InitRequest& r, const PoolSeed& seed) {
  const Places places = places_of(r);
  for (const std::string& directory : {places.config, places.state}) {
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed) return error(Code::kIoError, Subject::kConfig, "directory " + directory + ": " + failed.message());
  }
  InitResult result;
  result.config_file = places.config + "/holdfastd.yaml";
  result.credentials_file = places.config + "/admin-credentials";
  if (std::filesystem::exists(result.config_file)) {
    return error(Code::kAlreadyExists, Subject::kConfig, result.config_file + " exists: this directory is initialised already");
  }
  PoolConfig pool = r.iscsi;
  pool.name = r.pool_name;
  pool.device = r.device.empty() ? places.pools + "/" + r.pool_name + ".pool" : r.device;
  if (r.encrypted) pool.master_key_file = places.config + "/" + r.pool_name + ".key";
  HF_TRY(result.recovery_key, format(pool, r.file_bytes, r.encrypted, seed.recovery_key));
  Config config;
  config.state_dir = places.state;
  HF_TRY(const User admin, fill_pool(config, pool, seed));
  result.access_key = admin.access_key;
  result.secret_key = admin.secret;
  HF_CHECK(write_secret_file(result.credentials_file,
                             "[default]\naws_access_key_id = " + admin.access_key + "\naws_secret_access_key = " + admin.secret + "\n"));
  HF_CHECK(write_secret_file(result.config_file, config_text(r, pool, places)));
  return result;
}

Result<ProbeResult> probe_device(const PoolConfig& pool) {
  HF_TRY(DeviceOptions options, device_options(pool));
  options.read_only_probe = true;
  HF_TRY(const auto device, open_device(pool.device, options));
  ProbeResult p;
  p.device = device->info().name;
  p.identity = device->info().identity;
  p.size_bytes = device->info().size_bytes;
  p.block_bytes = device->info().block_bytes;
  p.reservation = device->holder();
  p.link = device->info().link;
  const auto superblock = read_superblock(*device);
  if (!superblock) {
    p.problem = superblock.error().code() == Code::kNotFound ? "" : superblock.error().message();
    return p;
  }
  p.has_pool = true;
  p.pool_name = superblock->pool_name;
  p.pool_id = hex(superblock->layout.pool_id);
  p.holder = superblock->holder;
  p.epoch = superblock->epoch;
  p.encrypted = superblock->encrypted;
  return p;
}

Result<std::string> create_pool(const PoolConfig& pool, uint64_t file_bytes, bool encrypted) {
  return format(pool, file_bytes, encrypted, std::nullopt);
}

}  // namespace holdfast
