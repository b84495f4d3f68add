// Buckets, users and settings of one pool, in memory.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>

#include "storage/crypto/aead.h"
#include "storage/index/index.h"

namespace holdfast {

// Thread-safe.
class Catalog {
 public:
  // Secrets of users are opened with the pool's key, if it has one.
  explicit Catalog(std::optional<SecretKey> pool_key) : pool_key_(std::move(pool_key)) {}

  Result<void> load(Index& index);
  // Follows the log.
  void apply(const Fact& fact);

  std::vector<Bucket> buckets() const;
  // As it was when asked; null: there is none.
  using BucketPtr = std::shared_ptr<const Bucket>;
  BucketPtr bucket(const std::string& name) const;
  BucketPtr bucket(BucketId id) const;
  std::vector<User> users() const;
  std::optional<User> user(const std::string& access_key) const;
  std::string setting(const std::string& name) const;
  // With text in them.
  std::vector<std::string> setting_names(const std::string& prefix) const;

  UserPut sealed(const User& user, Random& random) const;
  // A setting that may hold secrets, and back.
  std::string sealed_text(const std::string& name, const std::string& text, Random& random) const;
  Result<std::string> opened_text(const std::string& name, const std::string& sealed) const;

 private:
  void add_user(const User& user, const std::string& sealed_secret);

  const std::optional<SecretKey> pool_key_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, BucketPtr> buckets_;
  std::map<BucketId, BucketPtr> by_id_;
  std::map<std::string, User> users_;
  std::map<std::string, std::string> settings_;
};

}  // namespace holdfast
