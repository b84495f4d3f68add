// Buckets and users.
#include "storage/object/store.h"

namespace holdfast {

std::vector<Bucket> Store::buckets() const {
  std::vector<Bucket> all;
  for (const Pool* pool : pools_) {
    auto some = const_cast<Pool*>(pool)->catalog().buckets();
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end(), [](const Bucket& a, const Bucket& b) { return a.name < b.name; });
  return all;
}

Result<Bucket> Store::bucket(const std::string& name) const {
  HF_TRY(const Place place, find(name));
  return *place.bucket;
}

Result<Bucket> Store::create_bucket(Bucket bucket, const std::string& pool_name) {
  Pool* pool = nullptr;
  for (Pool* p : pools_) {
    if (pool == nullptr && (pool_name.empty() || p->name() == pool_name)) pool = p;
  }
  if (pool == nullptr) return error(Code::kNotFound, Subject::kPool, "no pool \"" + pool_name + "\"");
  CommitRequest commit;
  commit.settled = true;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    // Pools commit on threads of their own: a name taken in another pool is seen here unless both are made in
    // the same instant, and then the first pool's bucket is the one that is found.
    if (find(bucket.name)) return error(Code::kAlreadyExists, Subject::kBucket, "bucket \"" + bucket.name + "\" exists");
    bucket.id = c.next_lsn;
    bucket.created_ms = c.now_ms;
    return std::vector<Fact>{BucketPut{bucket}};
  };
  HF_CHECK(pool->commit(std::move(commit)));
  return bucket;
}

Result<Bucket> Store::change_bucket(const std::string& name, std::function<Result<void>(Bucket&)> change) {
  HF_TRY(const Place place, find(name));
  Bucket changed;
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext&) -> Result<std::vector<Fact>> {
    auto bucket = place.pool->catalog().bucket(place.bucket->id);
    if (!bucket) return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + name + "\"");
    changed = *bucket;
    HF_CHECK(change(changed));
    if (bucket->lock_enabled && (changed.versioning != Versioning::kEnabled || !changed.lock_enabled)) {
      return error(Code::kFailedPrecondition, Subject::kLock,
                   "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.");
    }
    if (changed.versioning == Versioning::kOff && bucket->versioning != Versioning::kOff) {
      return error(Code::kInvalidArgument, Subject::kBucket, "versioning can be suspended, not switched off");
    }
    return std::vector<Fact>{BucketPut{changed}};
  };
  HF_CHECK(place.pool->commit(std::move(commit)));
  return changed;
}

Result<void> Store::delete_bucket(const std::string& name) {
  HF_TRY(const Place place, find(name));
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    if (!place.pool->catalog().bucket(place.bucket->id)) {
      return error(Code::kNotFound, Subject::kBucket, "no bucket \"" + name + "\"");
    }
    HF_TRY(const bool used, c.index.has_versions(place.bucket->id));
    if (used) return error(Code::kFailedPrecondition, Subject::kBucket, "bucket \"" + name + "\" is not empty");
    return std::vector<Fact>{BucketRemove{place.bucket->id}};
  };
  return place.pool->commit(std::move(commit));
}

std::vector<User> Store::users() const { return pools_.front()->catalog().users(); }

std::optional<User> Store::user(const std::string& access_key) const {
  return pools_.front()->catalog().user(access_key);
}

Result<void> Store::put_user(User user) {
  Pool& pool = *pools_.front();
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext& c) -> Result<std::vector<Fact>> {
    if (user.created_ms == 0) user.created_ms = c.now_ms;
    return std::vector<Fact>{pool.catalog().sealed(user, pool.random())};
  };
  return pool.commit(std::move(commit));
}

Result<void> Store::remove_user(const std::string& access_key) {
  Pool& pool = *pools_.front();
  CommitRequest commit;
  commit.settled = true;
  commit.purpose = Purpose::kDelete;
  commit.decide = [&](CommitContext&) -> Result<std::vector<Fact>> {
    if (!pool.catalog().user(access_key)) {
      return error(Code::kNotFound, Subject::kUser, "no user with access key " + access_key);
    }
    return std::vector<Fact>{UserRemove{access_key}};
  };
  return pool.commit(std::move(commit));
}

}  // namespace holdfast
