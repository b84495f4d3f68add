// Buckets, users and settings: small things that are kept in memory as well as in the log.
#pragma once

#include <functional>

#include "storage/base/status.h"
#include "storage/types.h"

namespace holdfast {

// Thread-safe; writes block until durable.
class BucketStore {
 public:
  virtual ~BucketStore() = default;
  virtual std::vector<Bucket> buckets() const = 0;  // by name
  virtual Result<Bucket> bucket(const std::string& name) const = 0;
  // kAlreadyExists when some pool has one of that name. `pool` empty: the first pool.
  virtual Result<Bucket> create_bucket(Bucket bucket, const std::string& pool) = 0;
  // Changes versioning, lock and tags. `change` sees the current state and may refuse.
  virtual Result<Bucket> change_bucket(const std::string& name, std::function<Result<void>(Bucket&)> change) = 0;
  // kFailedPrecondition while it holds any version. Uploads in progress are aborted.
  virtual Result<void> delete_bucket(const std::string& name) = 0;
};

class UserStore {
 public:
  virtual ~UserStore() = default;
  virtual std::vector<User> users() const = 0;  // with their secrets: never print
  virtual std::optional<User> user(const std::string& access_key) const = 0;
  virtual Result<void> put_user(User user) = 0;
  virtual Result<void> remove_user(const std::string& access_key) = 0;
};

// Small named texts of other modules, such as "cluster/prod". In the log like everything else; where the pool is
// encrypted they are sealed in the index, too. Thread-safe; writes block until durable.
class SettingsStore {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;

  virtual ~SettingsStore() = default;
  // kNotFound. Texts may hold secrets: never print.
  virtual Result<std::string> setting(const std::string& name) const = 0;
  // In order.
  virtual std::vector<std::string> setting_names(const std::string& prefix) const = 0;
  // Empty: removes it.
  virtual Result<void> put_setting(const std::string& name, const std::string& text) = 0;
};

}  // namespace holdfast
