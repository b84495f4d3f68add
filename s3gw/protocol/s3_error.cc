#include "s3gw/protocol/s3_error.h"

#include <algorithm>

#include "s3gw/protocol/xml.h"

namespace holdfast::s3 {

namespace {

struct Entry {
  std::string_view code;
  unsigned status;
  std::string_view message;
};

constexpr Entry kErrors[] = {
    {"AccessDenied", 403, "Access denied"},
    {"AuthorizationHeaderMalformed", 400, "The Authorization header is malformed"},
    {"AuthorizationQueryParametersError", 400, "The query authorization parameters are malformed"},
    {"BadDigest", 400, "The digest given does not match the body received"},
    {"BucketAlreadyExists", 409, "The bucket name is taken"},
    {"BucketAlreadyOwnedByYou", 409, "The bucket exists already and is yours"},
    {"BucketNotEmpty", 409, "The bucket is not empty"},
    {"EntityTooLarge", 400, "The object is larger than one PUT may be"},
    {"EntityTooSmall", 400, "A part other than the last is smaller than 5 MiB"},
    {"IncompleteBody", 400, "The body has fewer bytes than announced"},
    {"InsufficientStorage", 507, "The storage is full"},
    {"InternalError", 500, "An internal error occurred"},
    {"InvalidAccessKeyId", 403, "The access key does not exist"},
    {"InvalidArgument", 400, "An argument is invalid"},
    {"InvalidBucketName", 400, "The bucket name is not valid"},
    {"InvalidBucketState", 409, "The bucket's state does not allow this"},
    {"InvalidDigest", 400, "The Content-MD5 header is not valid"},
    {"InvalidObjectState", 403, "The object's state does not allow this"},
    {"InvalidPart", 400, "A part was not found, or its ETag is another"},
    {"InvalidPartOrder", 400, "The parts are not in ascending order"},
    {"InvalidRange", 416, "The range cannot be satisfied"},
    {"InvalidRequest", 400, "The request is invalid"},
    {"InvalidStorageClass", 400, "The storage class is not valid"},
    {"InvalidTag", 400, "A tag is not valid"},
    {"InvalidURI", 400, "The URI cannot be parsed"},
    {"KeyTooLongError", 400, "The key is longer than 1024 bytes"},
    {"MalformedTrailerError", 400, "The trailer is malformed"},
    {"MalformedXML", 400, "The XML is not well-formed or does not fit the schema"},
    {"MalformedPOSTRequest", 400, "The POST request is malformed"},
    {"MetadataTooLarge", 400, "The metadata headers are larger than 2 KiB"},
    {"MethodNotAllowed", 405, "The method is not allowed on this resource"},
    {"MissingContentLength", 411, "The Content-Length header is missing"},
    {"NoSuchBucket", 404, "The bucket does not exist"},
    {"NoSuchBucketPolicy", 404, "The bucket has no policy"},
    {"NoSuchCORSConfiguration", 404, "The bucket has no CORS configuration"},
    {"NoSuchKey", 404, "The key does not exist"},
    {"NoSuchLifecycleConfiguration", 404, "The bucket has no lifecycle configuration"},
    {"NoSuchObjectLockConfiguration", 404, "The object has no object lock configuration"},
    {"NoSuchTagSet", 404, "The bucket has no tags"},
    {"NoSuchUpload", 404, "The upload does not exist: it may have been completed or aborted"},
    {"NoSuchVersion", 404, "The version does not exist"},
    {"NotImplemented", 501, "This is not implemented"},
    {"NotModified", 304, "Not modified"},
    {"ObjectLockConfigurationNotFoundError", 404, "The bucket has no object lock configuration"},
    {"PreconditionFailed", 412, "A precondition does not hold"},
    {"RequestTimeTooSkewed", 403, "The request's time differs too much from the server's"},
    {"RequestTimeout", 400, "The body did not arrive in time"},
    {"ServerSideEncryptionConfigurationNotFoundError", 404, "The bucket has no encryption configuration"},
    {"SignatureDoesNotMatch", 403, "The signature computed differs from the one given; check key and signing method"},
    {"SlowDown", 503, "The storage does not answer now; try again"},
    {"XAmzContentSHA256Mismatch", 400, "The x-amz-content-sha256 given does not match the body received"},
};

std::string_view code_for(const Status& s) {
  switch (s.code()) {
    case Code::kNotFound:
      switch (s.subject()) {
        case Subject::kBucket: return "NoSuchBucket";
        case Subject::kVersion: return "NoSuchVersion";
        case Subject::kUpload: return "NoSuchUpload";
        default: return "NoSuchKey";
      }
    case Code::kAlreadyExists: return "BucketAlreadyOwnedByYou";
    case Code::kFailedPrecondition:
      switch (s.subject()) {
        case Subject::kBucket: return "BucketNotEmpty";
        case Subject::kLock: return "InvalidBucketState";
        case Subject::kVersion: return "MethodNotAllowed";
        case Subject::kPool: return "SlowDown";
        default: return "PreconditionFailed";
      }
    case Code::kNotModified: return "NotModified";
    case Code::kPermissionDenied: return s.subject() == Subject::kDevice ? "SlowDown" : "AccessDenied";
    case Code::kInvalidArgument:
      switch (s.subject()) {
        case Subject::kPart: return "InvalidPart";
        case Subject::kPartOrder: return "InvalidPartOrder";
        case Subject::kPartSize: return "EntityTooSmall";
        case Subject::kBody: return "BadDigest";
        default: return "InvalidArgument";
      }
    case Code::kUnimplemented: return "NotImplemented";
    case Code::kOutOfSpace: return "InsufficientStorage";
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kIoError: return "SlowDown";
    case Code::kCorrupt:
    case Code::kInternal: return "InternalError";
  }
  return "InternalError";
}

}  // namespace

S3Error s3_error(std::string_view code, std::string_view message) {
  const auto* found = std::find_if(std::begin(kErrors), std::end(kErrors), [&](const Entry& e) { return e.code == code; });
  if (found == std::end(kErrors)) return S3Error(500, "InternalError", "unknown error " + std::string(code));
  return S3Error(found->status, std::string(code), std::string(message.empty() ? found->message : message));
}

S3Error::S3Error(const Status& s) : S3Error(s3_error(code_for(s))) {
  alarm = s.code() == Code::kCorrupt || s.code() == Code::kInternal;
  // Facts about the disks are for the operator's log, not for clients.
  const bool about_disks = alarm || s.code() == Code::kIoError || s.subject() == Subject::kDevice;
  if (!about_disks) message = s.message();
}

std::string error_document(const S3Error& error, std::string_view resource, std::string_view request_id) {
  XmlWriter xml;
  xml.open("Error");
  xml.text("Code", error.code);
  xml.text("Message", error.message);
  xml.text("Resource", resource);
  xml.text("RequestId", request_id);
  xml.close("Error");
  return xml.take();
}

}  // namespace holdfast::s3
