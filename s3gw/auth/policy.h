// What a user may do: a role, limited to buckets and prefixes.
#pragma once

#include "s3gw/protocol/operation.h"
#include "storage/types.h"

namespace holdfast::s3 {

// AccessDenied when the user may not do this to that bucket and key. `list_prefix`: the prefix that a listing asks
// for.
S3Result<void> authorize(const User& user, Operation operation, const std::string& bucket, const std::string& key,
                         const std::string& list_prefix);

// Does the user see this bucket in ListBuckets?
bool may_see_bucket(const User& user, const std::string& bucket);

}  // namespace holdfast::s3
