// What a request asks for: pure routing from method, bucket, key, query and headers to an operation.
#pragma once

#include "s3gw/protocol/s3_error.h"
#include "storage/net/http_types.h"

namespace holdfast::s3 {

enum class Operation {
  kListBuckets,
  kCreateBucket, kHeadBucket, kDeleteBucket, kGetBucketLocation,
  kGetBucketVersioning, kPutBucketVersioning,
  kGetObjectLockConfiguration, kPutObjectLockConfiguration,
  kGetBucketTagging, kPutBucketTagging, kDeleteBucketTagging,
  kGetBucketAcl, kGetBucketPolicy, kGetBucketPolicyStatus, kGetBucketCors, kGetBucketLifecycle, kGetBucketEncryption,
  kListObjects, kListObjectsV2, kListObjectVersions, kListMultipartUploads, kDeleteObjects,
  kPutObject, kCopyObject, kGetObject, kHeadObject, kDeleteObject, kGetObjectAttributes,
  kGetObjectTagging, kPutObjectTagging, kDeleteObjectTagging,
  kGetObjectRetention, kPutObjectRetention, kGetObjectLegalHold, kPutObjectLegalHold, kGetObjectAcl,
  kCreateMultipartUpload, kUploadPart, kUploadPartCopy, kCompleteMultipartUpload, kAbortMultipartUpload, kListParts,
};

std::string_view operation_name(Operation operation);

// The query, decoded, in order.
class Query {
 public:
  // InvalidURI on a broken escape.
  static S3Result<Query> parse(std::string_view text);
  bool has(std::string_view name) const;
  std::string get(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

struct Target {
  std::string bucket;  // empty: the service itself
  std::string key;     // empty: the bucket itself
};

// Splits path and, for virtual-host style under one of `domains`, host. InvalidURI on a broken escape.
S3Result<Target> parse_target(const HttpRequest& request, const std::vector<std::string>& domains);

// NotImplemented for what S3 has and this server has not; MethodNotAllowed for what S3 has not.
S3Result<Operation> route(const HttpRequest& request, const Target& target, const Query& query);

}  // namespace holdfast::s3
