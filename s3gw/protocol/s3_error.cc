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
    {"AccessDenied", 403, "Access Denied."},
    {"AuthorizationHeaderMalformed", 400, "The Authorization header is malformed"},
    {"AuthorizationQueryParametersError", 400, "The query authorization parameters are malformed"},
    {"BadDigest", 400, "The Content-MD5 you specified did not match what we received."},
    {"BucketAlreadyExists", 409, "The bucket name is taken"},
    {"BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it."},
    {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty."},
    {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size."},
    {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
    {"BadRequest", 400, "An error occurred when parsing the HTTP request."},
    {"IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
    {"InsufficientStorage", 507, "The storage is full"},
    {"InternalError", 500, "An internal error occurred"},
    {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
    {"InvalidArgument", 400, "An argument is invalid"},
    {"InvalidBucketName", 400, "The specified bucket is not valid."},
    {"InvalidBucketState", 409, "The bucket's state does not allow this"},
    {"InvalidDigest", 400, "The Content-Md5 you specified is not valid."},
    {"InvalidObjectState", 403, "The object's state does not allow this"},
    {"InvalidLocationConstraint", 400, "The specified location-constraint is not valid"},
    {"InvalidPartNumber", 416, "The requested partnumber is not satisfiable."},
    {"InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
    {"InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {"InvalidRange", 416, "The requested range is not satisfiable"},
    {"InvalidRequest", 400, "The request is invalid"},
    {"InvalidStorageClass", 400, "The storage class is not valid"},
    {"InvalidTag", 400, "A tag is not valid"},
    {"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
    {"InvalidURI", 400, "The specified URI couldn't be parsed."},
    {"KeyTooLongError", 400, "Your key is too long."},
    {"MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
    {"MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema."},
    {"MalformedPOSTRequest", 400, "The POST request is malformed"},
    {"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"},
    {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
    {"MissingRequestBodyError", 400, "Request Body is empty"},
    {"RequestHeaderSectionTooLarge", 400, "Your request header section exceeds the maximum allowed size."},
    {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
    {"NoSuchBucket", 404, "The specified bucket does not exist."},
    {"NoSuchBucketPolicy", 404, "The bucket policy does not exist."},
    {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"},
    {"NoSuchKey", 404, "The specified key does not exist."},
    {"NoSuchLifecycleConfiguration", 404, "The bucket has no lifecycle configuration"},
    {"NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration."},
    {"NoSuchTagSet", 404, "The TagSet does not exist."},
    {"NoSuchUpload", 404, "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
    {"NoSuchVersion", 404, "The specified version does not exist."},
    {"NotImplemented", 501, "A header you provided implies functionality that is not implemented."},
    {"NotModified", 304, "Not modified"},
    {"ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket."},
    {"PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold."},
    {"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
    {"RequestTimeout", 400, "The body did not arrive in time"},
    {"ServerSideEncryptionConfigurationNotFoundError", 404, "The bucket has no encryption configuration"},
    {"SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
    {"SlowDown", 503, "The storage does not answer now; try again"},
    {"XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
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
        case Subject::kBodySize: return "InvalidRequest";
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
  // Clients know S3's own words for what is absent or refused; the store's facts help with invalid input. Facts
  // about the disks are for the operator's log alone.
  const bool usual = s.subject() == Subject::kPart || s.subject() == Subject::kPartOrder || s.subject() == Subject::kPartSize;
  const bool helpful = s.code() == Code::kInvalidArgument && !usual;
  const bool bucket_lock = s.is(Code::kFailedPrecondition, Subject::kLock);
  if (helpful || bucket_lock || s.code() == Code::kUnimplemented) message = s.message();
  if (s.is(Code::kPermissionDenied, Subject::kLock)) message = "Access Denied because object protected by object lock.";
}

std::unexpected<S3Error> s3_fail_with(ErrorFields fields, std::string_view code, std::string_view message) {
  S3Error error = s3_error(code, message);
  error.fields = std::move(fields);
  return std::unexpected(std::move(error));
}

std::unexpected<S3Error> bad_argument(std::string_view name, std::string_view value, std::string_view message) {
  return s3_fail_with({{"ArgumentName", std::string(name)}, {"ArgumentValue", std::string(value)}}, "InvalidArgument", message);
}

std::string error_document(const S3Error& error, std::string_view resource, std::string_view request_id) {
  XmlWriter xml;
  xml.open("Error");
  xml.text("Code", error.code);
  xml.text("Message", error.message);
  for (const auto& [name, value] : error.fields) xml.text(name, value);
  xml.text("Resource", resource);
  xml.text("RequestId", request_id);
  xml.close("Error");
  return xml.take();
}

}  // namespace holdfast::s3
