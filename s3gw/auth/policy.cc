#include "s3gw/auth/policy.h"

#include <algorithm>

#include "storage/base/scopes.h"

namespace holdfast::s3 {

namespace {

enum class Need { kRead, kCreate, kChange, kConfigure };

Need need_of(Operation operation) {
  using enum Operation;
  switch (operation) {
    case kPutObject:
    case kCopyObject:
    case kCreateMultipartUpload:
    case kUploadPart:
    case kUploadPartCopy:
    case kCompleteMultipartUpload:
    case kAbortMultipartUpload:      // what was never completed is not an object yet
    case kPutObjectRetention:        // the store lets nobody shorten it who may not bypass
      return Need::kCreate;
    case kDeleteObject:
    case kDeleteObjects:
    case kPutObjectTagging:
    case kDeleteObjectTagging:
    case kPutObjectLegalHold:
    case kCreateBucket:
    case kDeleteBucket:
      return Need::kChange;
    case kPutBucketVersioning:
    case kPutObjectLockConfiguration:
    case kPutBucketTagging:
    case kDeleteBucketTagging:
      return Need::kConfigure;
    default:
      return Need::kRead;
  }
}

bool role_allows(Role role, Need need) {
  switch (role) {
    case Role::kAdmin: return true;
    case Role::kReadWrite: return need != Need::kConfigure;
    case Role::kAppendOnly: return need == Need::kRead || need == Need::kCreate;
    case Role::kReadOnly: return need == Need::kRead;
  }
  return false;
}

bool is_listing(Operation operation) {
  using enum Operation;
  return operation == kListObjects || operation == kListObjectsV2 || operation == kListObjectVersions ||
         operation == kListMultipartUploads;
}

}  // namespace

bool may_see_bucket(const User& user, const std::string& bucket) {
  return user.scopes.empty() || std::any_of(user.scopes.begin(), user.scopes.end(), [&](std::string_view scope) {
    return scope.substr(0, scope.find('/')) == bucket;
  });
}

S3Result<void> authorize(const User& user, Operation operation, const std::string& bucket, const std::string& key,
                         const std::string& list_prefix) {
  if (!role_allows(user.role, need_of(operation))) {
    return s3_fail("AccessDenied", "This user's role does not allow " + std::string(operation_name(operation)));
  }
  if (user.scopes.empty() || operation == Operation::kListBuckets) return {};
  // Harmless facts about a bucket that clients ask for before they use a prefix in it.
  const bool about_bucket = key.empty() && need_of(operation) == Need::kRead && !is_listing(operation);
  // Every key of a batch is checked by its handler.
  const bool batch = operation == Operation::kDeleteObjects;
  if ((about_bucket || batch) && may_see_bucket(user, bucket)) return {};
  const std::string& what = is_listing(operation) ? list_prefix : key;
  const bool covered = scopes_cover(user.scopes, bucket, what);
  if (!covered) return s3_fail("AccessDenied", "This user is limited to other buckets or prefixes");
  return {};
}

}  // namespace holdfast::s3
