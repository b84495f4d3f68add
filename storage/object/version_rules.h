// The rules of versions and locks, decided in the committer: what a write replaces and what it must not touch.
#pragma once

#include "storage/object/committer.h"
#include "storage/object_store.h"

namespace holdfast {

// kFailedPrecondition when the conditions do not hold for the current version (null: there is none).
Result<void> check_conditions(const WriteConditions& conditions, const VersionPtr& latest, const std::string& key);

// kPermissionDenied with subject kLock when the version may not be removed at `now_ms` of pool time.
Result<void> check_not_locked(const ObjectInfo& version, int64_t now_ms, bool bypass_governance);

// The versions that a new one in this bucket replaces: under no or suspended versioning the null version. `latest` is the key's newest
// version now (null: it has none).
Result<std::vector<VersionSeq>> replaced_by_new_version(CommitContext& context, const Bucket& bucket, const std::string& key,
                                                        const VersionPtr& latest, int64_t pool_now_ms);

// A version is gone or never was.
Status no_such_version(const std::string& key);
Status no_such_key(const std::string& key);

// The version that a reference means, a delete marker included; null pointer: none.
Result<VersionPtr> resolve(const VersionView& view, BucketId bucket, const std::string& key, const VersionRef& ref);

// The bucket's default retention, where the writer named none.
void apply_default_retention(const Bucket& bucket, int64_t pool_now_ms, Attributes& attributes);

}  // namespace holdfast
