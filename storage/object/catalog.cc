#include "storage/object/catalog.h"

#include <mutex>

#include "storage/base/log.h"

namespace holdfast {

Result<void> Catalog::load(Index& index) {
  HF_TRY(const auto buckets, index.buckets());
  HF_TRY(const auto users, index.users());
  HF_TRY(auto settings, index.settings());
  for (const Bucket& bucket : buckets) apply(BucketPut{bucket});
  for (const UserRow& row : users) add_user(row.user, row.sealed_secret);
  std::unique_lock lock(mutex_);
  settings_ = std::move(settings);
  return {};
}

void Catalog::add_user(const User& user, const std::string& sealed_secret) {
  User opened = user;
  if (pool_key_) {
    auto secret = open_text(*pool_key_, sealed_secret, user.access_key);
    if (!secret) {
      spdlog::error("user {}: the stored secret does not open; the user is disabled", user.access_key);
      opened.enabled = false;
    } else {
      opened.secret = std::move(*secret);
    }
  } else {
    opened.secret = sealed_secret;
  }
  std::unique_lock lock(mutex_);
  users_[user.access_key] = std::move(opened);
}

UserPut Catalog::sealed(const User& user, Random& random) const {
  UserPut fact{user, pool_key_ ? seal_text(*pool_key_, user.secret, user.access_key, random) : user.secret};
  fact.user.secret.clear();
  return fact;
}

void Catalog::apply(const Fact& fact) {
  if (const auto* put = std::get_if<BucketPut>(&fact)) {
    const auto bucket = std::make_shared<const Bucket>(put->bucket);
    std::unique_lock lock(mutex_);
    buckets_[bucket->name] = bucket;
    by_id_[bucket->id] = bucket;
  } else if (const auto* remove = std::get_if<BucketRemove>(&fact)) {
    std::unique_lock lock(mutex_);
    const auto bucket = by_id_.find(remove->id);
    if (bucket == by_id_.end()) return;
    buckets_.erase(bucket->second->name);
    by_id_.erase(bucket);
  } else if (const auto* user = std::get_if<UserPut>(&fact)) {
    add_user(user->user, user->sealed_secret);
  } else if (const auto* gone = std::get_if<UserRemove>(&fact)) {
    std::unique_lock lock(mutex_);
    users_.erase(gone->access_key);
  } else if (const auto* setting = std::get_if<SettingPut>(&fact)) {
    std::unique_lock lock(mutex_);
    settings_[setting->name] = setting->value;
  }
}

std::vector<Bucket> Catalog::buckets() const {
  std::shared_lock lock(mutex_);
  std::vector<Bucket> out;
  for (const auto& [name, bucket] : buckets_) out.push_back(*bucket);
  return out;
}

Catalog::BucketPtr Catalog::bucket(const std::string& name) const {
  std::shared_lock lock(mutex_);
  const auto found = buckets_.find(name);
  return found == buckets_.end() ? nullptr : found->second;
}

Catalog::BucketPtr Catalog::bucket(BucketId id) const {
  std::shared_lock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<User> Catalog::users() const {
  std::shared_lock lock(mutex_);
  std::vector<User> out;
  for (const auto& [key, user] : users_) out.push_back(user);
  return out;
}

std::optional<User> Catalog::user(const std::string& access_key) const {
  std::shared_lock lock(mutex_);
  const auto found = users_.find(access_key);
  return found == users_.end() ? std::nullopt : std::optional(found->second);
}

std::string Catalog::setting(const std::string& name) const {
  std::shared_lock lock(mutex_);
  const auto found = settings_.find(name);
  return found == settings_.end() ? std::string() : found->second;
}

std::vector<std::string> Catalog::setting_names(const std::string& prefix) const {
  std::shared_lock lock(mutex_);
  std::vector<std::string> out;
  for (auto at = settings_.lower_bound(prefix); at != settings_.end() && at->first.starts_with(prefix); ++at) {
    if (!at->second.empty()) out.push_back(at->first);
  }
  return out;
}

std::string Catalog::sealed_text(const std::string& name, const std::string& text, Random& random) const {
  return pool_key_ && !text.empty() ? seal_text(*pool_key_, text, "setting:" + name, random) : text;
}

Result<std::string> Catalog::opened_text(const std::string& name, const std::string& sealed) const {
  if (!pool_key_ || sealed.empty()) return sealed;
  return open_text(*pool_key_, sealed, "setting:" + name);
}

}  // namespace holdfast
