// Buckets themselves and their small settings.
#include <algorithm>

#include "s3gw/auth/policy.h"
#include "s3gw/handlers/request_parts.h"
#include "s3gw/handlers/tagging.h"
#include "s3gw/protocol/xml.h"
#include "storage/base/names.h"
#include "storage/base/times.h"

namespace holdfast::s3 {

namespace {

void owner_xml(XmlWriter& xml, const std::string& id) {
  xml.open("Owner");
  xml.text("ID", id);
  xml.text("DisplayName", id);
  xml.close("Owner");
}

}  // namespace

S3Result<HttpResponse> list_buckets(const Call& call) {
  XmlWriter xml;
  xml.root("ListAllMyBucketsResult");
  owner_xml(xml, call.auth.user.access_key);
  uint64_t max = 10'000;
  if (call.query.has("max-buckets")) {
    HF_TRY(max, parse_number(call.query.get("max-buckets"), "max-buckets", 1, 10'000));
  }
  const std::string prefix = call.query.get("prefix");
  const std::string after = call.query.get("continuation-token");
  std::string last;
  bool truncated = false;
  uint64_t given = 0;
  xml.open("Buckets");
  for (const Bucket& b : call.buckets().buckets()) {
    if (!may_see_bucket(call.auth.user, b.name) || !b.name.starts_with(prefix) || b.name <= after) continue;
    if (given == max) {
      truncated = true;
      break;
    }
    xml.open("Bucket");
    xml.text("Name", b.name);
    xml.text("CreationDate", iso8601(b.created_ms));
    xml.text("BucketRegion", call.options->region);
    xml.close("Bucket");
    last = b.name;
    ++given;
  }
  xml.close("Buckets");
  if (!prefix.empty()) xml.text("Prefix", prefix);
  if (truncated) xml.text("ContinuationToken", last);
  xml.close("ListAllMyBucketsResult");
  return xml_response(xml.take());
}

namespace {

// Nobody but its owner writes with ACLs here, which is what BucketOwnerEnforced says.
S3Result<void> check_ownership_header(const Call& call) {
  const auto ownership = call.header("x-amz-object-ownership");
  if (ownership.empty() || ownership == "BucketOwnerEnforced") return {};
  if (ownership == "BucketOwnerPreferred" || ownership == "ObjectWriter") {
    return s3_fail("NotImplemented", "Object ownership other than BucketOwnerEnforced is not implemented");
  }
  return s3_fail("InvalidArgument", "Invalid x-amz-object-ownership header: " + std::string(ownership));
}

}  // namespace

S3Result<HttpResponse> create_bucket(const Call& call) {
  if (!valid_bucket_name(call.bucket())) return s3_fail("InvalidBucketName");
  Bucket bucket;
  if (!call.body.empty()) {
    pugi::xml_document document;
    HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "CreateBucketConfiguration"));
    const std::string where = child_text(root, "LocationConstraint");
    // us-east-1 is S3's name for no constraint.
    if (!where.empty() && (where != call.options->region || where == "us-east-1")) {
      return s3_fail_with({{"LocationConstraint", where}}, "InvalidLocationConstraint");
    }
    HF_TRY(bucket.tags, parse_tag_list(root.child("Tags"), kMaxBucketTags));
  }
  HF_CHECK(check_ownership_header(call));
  bucket.name = call.bucket();
  bucket.owner = call.auth.user.access_key;
  const auto lock = call.header("x-amz-bucket-object-lock-enabled");
  if (lock == "true" || lock == "True") {
    bucket.lock_enabled = true;
    bucket.versioning = Versioning::kEnabled;
  }
  const auto made = call.buckets().create_bucket(bucket, "");
  if (!made && made.error().code() == Code::kAlreadyExists) {
    const auto existing = call.buckets().bucket(call.bucket());
    const bool own = existing && existing->owner == call.auth.user.access_key;
    return s3_fail(own ? "BucketAlreadyOwnedByYou" : "BucketAlreadyExists");
  }
  if (!made) return std::unexpected(S3Error(made.error()));
  HttpResponse response;
  response.headers.add("Location", "/" + call.bucket());
  response.headers.add("x-amz-bucket-arn", "arn:aws:s3:::" + call.bucket());
  return response;
}

S3Result<HttpResponse> head_bucket(const Call& call) {
  HF_CHECK(call.buckets().bucket(call.bucket()));
  HttpResponse response;
  response.headers.add("x-amz-bucket-region", call.options->region);
  response.headers.add("Content-Type", "application/xml");
  return response;
}

S3Result<HttpResponse> delete_bucket(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  const auto gone = call.buckets().delete_bucket(call.bucket());
  if (!gone && gone.error().is(Code::kFailedPrecondition, Subject::kBucket) && bucket.versioning != Versioning::kOff) {
    return s3_fail("BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.");
  }
  if (!gone) return std::unexpected(S3Error(gone.error()));
  HttpResponse response;
  response.status = 204;
  return response;
}

S3Result<HttpResponse> get_bucket_location(const Call& call) {
  HF_CHECK(call.buckets().bucket(call.bucket()));
  XmlWriter xml;
  xml.root("LocationConstraint");
  std::string body = xml.take();
  // us-east-1 is written as an empty constraint.
  if (call.options->region != "us-east-1") body += call.options->region;
  return xml_response(body + "</LocationConstraint>");
}

S3Result<HttpResponse> get_bucket_versioning(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  XmlWriter xml;
  xml.root("VersioningConfiguration");
  if (bucket.versioning != Versioning::kOff) {
    xml.text("Status", bucket.versioning == Versioning::kEnabled ? "Enabled" : "Suspended");
  }
  xml.close("VersioningConfiguration");
  return xml_response(xml.take());
}

S3Result<HttpResponse> put_bucket_versioning(const Call& call) {
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "VersioningConfiguration"));
  if (child_text(root, "MfaDelete") == "Enabled") return s3_fail("NotImplemented", "MfaDelete is not implemented");
  const std::string status = child_text(root, "Status");
  if (status != "Enabled" && status != "Suspended") return s3_fail("MalformedXML");
  HF_CHECK(call.buckets().change_bucket(call.bucket(), [&](Bucket& b) -> Result<void> {
    b.versioning = status == "Enabled" ? Versioning::kEnabled : Versioning::kSuspended;
    return {};
  }));
  return HttpResponse{};
}

S3Result<HttpResponse> get_object_lock_configuration(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  if (!bucket.lock_enabled) return s3_fail("ObjectLockConfigurationNotFoundError");
  XmlWriter xml;
  xml.root("ObjectLockConfiguration");
  xml.text("ObjectLockEnabled", "Enabled");
  const DefaultRetention& d = bucket.default_retention;
  if (d.mode != LockMode::kNone) {
    xml.open("Rule");
    xml.open("DefaultRetention");
    xml.text("Mode", d.mode == LockMode::kCompliance ? "COMPLIANCE" : "GOVERNANCE");
    if (d.days > 0) xml.number("Days", d.days);
    if (d.years > 0) xml.number("Years", d.years);
    xml.close("DefaultRetention");
    xml.close("Rule");
  }
  xml.close("ObjectLockConfiguration");
  return xml_response(xml.take());
}

namespace {

S3Result<uint32_t> parse_period(const std::string& text, std::string_view name, uint64_t max) {
  const auto n = parse_number(text, name, 1, UINT32_MAX);
  if (!n) return bad_argument(name, text, "Default retention period must be a positive integer value.");
  if (*n > max) return bad_argument(name, text, "Default retention period too large.");
  return static_cast<uint32_t>(*n);
}

}  // namespace

S3Result<HttpResponse> put_object_lock_configuration(const Call& call) {
  if (call.body.empty()) return s3_fail("MissingRequestBodyError");
  pugi::xml_document document;
  HF_TRY(const pugi::xml_node root, parse_xml(document, call.body, "ObjectLockConfiguration"));
  if (child_text(root, "ObjectLockEnabled") != "Enabled") return s3_fail("MalformedXML");
  DefaultRetention d;
  if (const pugi::xml_node rule = root.child("Rule")) {
    const pugi::xml_node retention = rule.child("DefaultRetention");
    const std::string mode = child_text(retention, "Mode");
    if (mode != "GOVERNANCE" && mode != "COMPLIANCE") return s3_fail("MalformedXML");
    d.mode = mode == "COMPLIANCE" ? LockMode::kCompliance : LockMode::kGovernance;
    const std::string days = child_text(retention, "Days"), years = child_text(retention, "Years");
    if (days.empty() == years.empty()) return s3_fail("MalformedXML");
    if (!days.empty()) {
      HF_TRY(d.days, parse_period(days, "Days", 36'500));
    } else {
      HF_TRY(d.years, parse_period(years, "Years", 100));
    }
  }
  S3Result<void> state;
  HF_CHECK(call.buckets().change_bucket(call.bucket(), [&](Bucket& b) -> Result<void> {
    // As in S3: a bucket with versioning can get lock later on; one without cannot.
    if (b.versioning != Versioning::kEnabled) {
      return error(Code::kFailedPrecondition, Subject::kLock,
                   "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
    }
    b.lock_enabled = true;
    b.default_retention = d;
    return {};
  }));
  return HttpResponse{};
}

S3Result<HttpResponse> get_bucket_tagging(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  if (bucket.tags.empty()) return s3_fail("NoSuchTagSet");
  return xml_response(tagging_document(bucket.tags));
}

S3Result<HttpResponse> put_bucket_tagging(const Call& call) {
  HF_TRY(const Pairs tags, parse_tagging_document(call.body, kMaxBucketTags));
  HF_CHECK(call.buckets().change_bucket(call.bucket(), [&](Bucket& b) -> Result<void> {
    b.tags = tags;
    return {};
  }));
  HttpResponse response;
  response.status = 204;
  return response;
}

S3Result<HttpResponse> delete_bucket_tagging(const Call& call) {
  HF_CHECK(call.buckets().change_bucket(call.bucket(), [&](Bucket& b) -> Result<void> {
    b.tags.clear();
    return {};
  }));
  HttpResponse response;
  response.status = 204;
  return response;
}

// There are no ACLs: the answer says what is true, that the owner has full control.
S3Result<HttpResponse> get_acl(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  if (!call.key().empty()) {
    HF_TRY(const VersionRef ref, version_of(call));
    HF_CHECK(call.objects().get(call.bucket(), call.key(), ref));
  }
  XmlWriter xml;
  xml.root("AccessControlPolicy");
  owner_xml(xml, bucket.owner);
  xml.open("AccessControlList");
  xml.open("Grant");
  xml.open("Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"");
  xml.text("ID", bucket.owner);
  xml.text("DisplayName", bucket.owner);
  xml.close("Grantee");
  xml.text("Permission", "FULL_CONTROL");
  xml.close("Grant");
  xml.close("AccessControlList");
  xml.close("AccessControlPolicy");
  return xml_response(xml.take());
}

// Configurations that no bucket here can have yet: S3 says "not found" for them, and clients ask.
S3Result<HttpResponse> get_absent_configuration(const Call& call) {
  HF_CHECK(call.buckets().bucket(call.bucket()));
  switch (call.operation) {
    case Operation::kGetBucketPolicy:
    case Operation::kGetBucketPolicyStatus: return s3_fail("NoSuchBucketPolicy");
    case Operation::kGetBucketCors: return s3_fail("NoSuchCORSConfiguration");
    case Operation::kGetBucketLifecycle: return s3_fail("NoSuchLifecycleConfiguration");
    default: break;
  }
  if (!call.options->encrypted) return s3_fail("ServerSideEncryptionConfigurationNotFoundError");
  XmlWriter xml;
  xml.root("ServerSideEncryptionConfiguration");
  xml.open("Rule");
  xml.open("ApplyServerSideEncryptionByDefault");
  xml.text("SSEAlgorithm", "AES256");
  xml.close("ApplyServerSideEncryptionByDefault");
  xml.flag("BucketKeyEnabled", false);
  xml.close("Rule");
  xml.close("ServerSideEncryptionConfiguration");
  return xml_response(xml.take());
}

}  // namespace holdfast::s3
