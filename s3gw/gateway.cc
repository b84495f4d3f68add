#include "s3gw/gateway.h"

#include <atomic>
#include <chrono>

#include "s3gw/auth/chunked_body.h"
#include "s3gw/auth/policy.h"
#include "s3gw/handlers/request_parts.h"
#include "storage/base/times.h"
#include "storage/net/offload.h"
#include "storage/net/slots.h"

namespace holdfast::s3 {

namespace {

constexpr std::chrono::seconds kStreamWait{30};
constexpr uint64_t kMaxDocumentBytes = 2 << 20;  // 1,000 keys of 1,024 bytes, or 10,000 parts, with their markup

struct DocumentRoute {
  Operation operation;
  DocumentHandler handler;
};

using enum Operation;
constexpr DocumentRoute kDocumentRoutes[] = {
    {kListBuckets, list_buckets},
    {kCreateBucket, create_bucket},
    {kHeadBucket, head_bucket},
    {kDeleteBucket, delete_bucket},
    {kGetBucketLocation, get_bucket_location},
    {kGetBucketVersioning, get_bucket_versioning},
    {kPutBucketVersioning, put_bucket_versioning},
    {kGetObjectLockConfiguration, get_object_lock_configuration},
    {kPutObjectLockConfiguration, put_object_lock_configuration},
    {kGetBucketTagging, get_bucket_tagging},
    {kPutBucketTagging, put_bucket_tagging},
    {kDeleteBucketTagging, delete_bucket_tagging},
    {kGetBucketAcl, get_acl},
    {kGetObjectAcl, get_acl},
    {kGetBucketPolicy, get_absent_configuration},
    {kGetBucketPolicyStatus, get_absent_configuration},
    {kGetBucketCors, get_absent_configuration},
    {kGetBucketLifecycle, get_absent_configuration},
    {kGetBucketEncryption, get_absent_configuration},
    {kListObjects, list_objects},
    {kListObjectsV2, list_objects},
    {kListObjectVersions, list_object_versions},
    {kListMultipartUploads, list_multipart_uploads},
    {kDeleteObjects, delete_objects},
    {kCopyObject, copy_object},
    {kDeleteObject, delete_object},
    {kGetObjectAttributes, get_object_attributes},
    {kGetObjectTagging, get_object_tagging},
    {kPutObjectTagging, put_object_tagging},
    {kDeleteObjectTagging, delete_object_tagging},
    {kGetObjectRetention, get_object_retention},
    {kPutObjectRetention, put_object_retention},
    {kGetObjectLegalHold, get_object_legal_hold},
    {kPutObjectLegalHold, put_object_legal_hold},
    {kCreateMultipartUpload, create_multipart_upload},
    {kUploadPartCopy, upload_part_copy},
    {kCompleteMultipartUpload, complete_multipart_upload},
    {kAbortMultipartUpload, abort_multipart_upload},
    {kListParts, list_parts},
};

}  // namespace

boost::asio::awaitable<S3Result<void>> send_answer(std::shared_ptr<const Call> call, HttpExchange& exchange,
                                                   S3Result<HttpResponse> response) {
  S3Result<void> result;
  if (!response) {
    result = std::unexpected(response.error());
    co_return result;
  }
  response->headers.add("x-amz-request-id", call->request_id);
  (void)co_await exchange.respond(std::move(*response));
  co_return result;
}

DocumentHandler document_handler(Operation operation) {
  for (const DocumentRoute& r : kDocumentRoutes) {
    if (r.operation == operation) return r.handler;
  }
  return nullptr;
}

namespace {

class Gateway : public std::enable_shared_from_this<Gateway> {
 public:
  Gateway(GatewayOptions options, GatewayServices services)
      : options_(std::move(options)), services_(std::move(services)), first_request_(random_number(*services_.random)), streams_(std::make_shared<Slots>(options_.max_streams)) {}

  boost::asio::awaitable<void> serve(HttpExchange& exchange) {
    const auto began = std::chrono::steady_clock::now();
    auto call = std::make_shared<Call>();
    call->options = &options_;
    call->services = &services_;
    call->http = &exchange.request();
    call->request_id = new_request_id();
    S3Result<void> result = identify(*call);
    if (result) result = co_await dispatch(call, exchange);
    AccessRecord record;
    if (!result) {
      record.error_code = result.error().code;
      record.detail = result.error().message;
      if (!exchange.answered()) {
        HttpResponse response = error_response(*call, result.error());
        (void)co_await exchange.respond(std::move(response));
      }
    }
    record.status = result || exchange.answered() ? exchange.status() : result.error().status;
    record.sent_bytes = exchange.sent_bytes();
    report(*call, std::move(record), began);
  }

 private:
  // Unlike any other of this process, and most likely of every other.
  std::string new_request_id() {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // multiplying by it gives each number another
    return hex64((first_request_ + requests_++) * kOdd);
  }

  static uint64_t random_number(Random& random) {
    std::byte raw[8];
    random.fill(raw);
    return load_le<uint64_t>(raw);
  }

  // Who asks for what, and may they?
  S3Result<void> identify(Call& call) {
    HF_TRY(call.query, Query::parse(call.http->query()));
    HF_TRY(call.target, parse_target(*call.http, options_.domains));
    HF_TRY(call.operation, route(*call.http, call.target, call.query));
    HF_TRY(call.auth, check_signature(*call.http, call.query, *services_.users, options_.region, services_.clock->wall_ms()));
    if (call.target.key.size() > 1024) return s3_fail("KeyTooLongError");
    if (!valid_utf8(call.target.key)) return s3_fail("InvalidURI", "The key is not valid UTF-8");
    HF_CHECK(authorize(call.auth.user, call.operation, call.target.bucket, call.target.key, call.query.get("prefix")));
    const bool needs_bucket = call.operation != kListBuckets && call.operation != kCreateBucket;
    if (needs_bucket) HF_CHECK(call.buckets().bucket(call.target.bucket));
    HF_CHECK(check_owner(call, call.target.bucket, "x-amz-expected-bucket-owner"));
    std::string_view source = call.header("x-amz-copy-source");
    if (source.starts_with('/')) source.remove_prefix(1);
    return check_owner(call, std::string(source.substr(0, source.find('/'))), "x-amz-source-expected-bucket-owner");
  }

  // Clients say whose bucket they mean to use; a bucket of another's is refused.
  static S3Result<void> check_owner(const Call& call, const std::string& bucket, std::string_view header) {
    const auto expected = call.header(header);
    if (expected.empty()) return {};
    const auto found = call.buckets().bucket(bucket);
    if (found && found->owner != expected) return s3_fail("AccessDenied");
    return {};
  }

  // Requests that hold buffers while their bytes move, for as long as a client cares to take.
  static bool streams(const Call& call) {
    if (call.operation == kGetObject) return true;
    return call.http->chunked || call.http->content_length.value_or(0) > kSmallBodyBytes;
  }

  boost::asio::awaitable<S3Result<void>> dispatch(std::shared_ptr<Call> call, HttpExchange& exchange) {
    S3Result<void> result;
    if (!streams(*call)) {
      result = co_await handle(call, exchange);
      co_return result;
    }
    const Slot slot = co_await streams_->take(kStreamWait);
    if (!slot) {
      exchange.abandon();
      result = s3_fail("SlowDown");
      co_return result;
    }
    result = co_await handle(call, exchange);
    co_return result;
  }

  boost::asio::awaitable<S3Result<void>> handle(std::shared_ptr<Call> call, HttpExchange& exchange) {
    S3Result<void> result;
    if (call->operation == kPutObject) {
      result = co_await put_object(call, exchange);
    } else if (call->operation == kUploadPart) {
      result = co_await upload_part(call, exchange);
    } else if (call->operation == kGetObject || call->operation == kHeadObject) {
      result = co_await get_object(call, exchange);
    } else {
      result = co_await answer_document(call, exchange);
    }
    co_return result;
  }

  boost::asio::awaitable<S3Result<void>> answer_document(std::shared_ptr<Call> call, HttpExchange& exchange) {
    S3Result<void> result = co_await read_document(call, exchange);
    if (!result) co_return result;
    const DocumentHandler handler = document_handler(call->operation);
    auto work = [call, handler] { return handler(*call); };
    S3Result<HttpResponse> response = co_await offload(*services_.workers, std::move(work));
    result = co_await send_answer(call, exchange, std::move(response));
    co_return result;
  }

  // Bodies of documents are small and checked as a whole before they are parsed.
  boost::asio::awaitable<S3Result<void>> read_document(std::shared_ptr<Call> call, HttpExchange& exchange) {
    const bool open_end = call->http->chunked;
    const uint64_t announced = open_end ? kMaxDocumentBytes : call->http->content_length.value_or(0);
    S3Result<void> result;
    if (announced > kMaxDocumentBytes) result = s3_fail("MalformedXML", "The document is too large");
    if (!result) co_return result;
    call->body.resize(announced);
    MutableByteSpan into(reinterpret_cast<std::byte*>(call->body.data()), call->body.size());
    Result<size_t> n = co_await exchange.read_body(into);
    // A body of unknown length ends before the room does, or it is too long.
    if (!n || (open_end ? *n == announced : *n != announced)) {
      exchange.abandon();
      result = s3_fail("IncompleteBody");
      co_return result;
    }
    call->body.resize(*n);
    result = check_document(*call);
    co_return result;
  }

  static S3Result<void> check_document(Call& call) {
    if (call.auth.payload == Payload::kHashed) {
      const std::string computed = sha256_hex(call.body);
      if (computed != call.auth.payload_sha256) return payload_mismatch(call.auth.payload_sha256, computed);
    } else if (call.auth.payload != Payload::kUnsigned) {
      ChunkedBody chunks(call.auth);
      std::string plain;
      HF_CHECK(chunks.feed(as_bytes(call.body), [&](ByteSpan bytes) -> S3Result<void> {
        plain += as_text(bytes);
        return {};
      }));
      HF_CHECK(chunks.finish());
      call.body = std::move(plain);
    }
    HF_TRY(const std::string md5, announced_md5(call));
    if (!md5.empty() && Digest::of(DigestKind::kMd5, as_bytes(call.body)) != md5) return s3_fail("BadDigest");
    // Of a completion these headers speak of the object, not of this document.
    if (call.operation == kCompleteMultipartUpload) return {};
    HF_TRY(const Checksum announced, announced_checksum(call));
    if (announced.value.empty()) return {};
    RunningChecksum checksum(announced.algorithm);
    checksum.update(as_bytes(call.body));
    if (checksum.finish_base64() != announced.value) return s3_fail("BadDigest");
    return {};
  }

  HttpResponse error_response(const Call& call, const S3Error& error) {
    HttpResponse response;
    response.status = error.status;
    response.headers.add("x-amz-request-id", call.request_id);
    if (error.code == "SlowDown") response.headers.add("Retry-After", "1");
    if (call.http->method != "HEAD" && error.status != 304) {
      response.headers.add("Content-Type", "application/xml");
      response.body = error_document(error, call.http->path(), call.request_id);
    }
    return response;
  }

  void report(const Call& call, AccessRecord record, std::chrono::steady_clock::time_point began) {
    if (!services_.on_access) return;
    record.request_id = call.request_id;
    record.peer = call.http->peer;
    record.user = call.auth.user.access_key;
    record.operation = record.user.empty() ? "Unauthenticated" : std::string(operation_name(call.operation));
    record.bucket = call.target.bucket;
    record.key = call.target.key;
    record.received_bytes = call.http->content_length.value_or(0);
    const auto took = std::chrono::steady_clock::now() - began;
    record.duration_ms = std::chrono::duration<double, std::milli>(took).count();
    services_.on_access(record);
  }

  const GatewayOptions options_;
  const GatewayServices services_;
  const uint64_t first_request_;
  std::atomic<uint64_t> requests_{0};
  const std::shared_ptr<Slots> streams_;
};

boost::asio::awaitable<void> serve_with(std::shared_ptr<Gateway> gateway, HttpExchange& exchange) {
  co_await gateway->serve(exchange);
}

}  // namespace

HttpHandler make_gateway(GatewayOptions options, GatewayServices services) {
  auto gateway = std::make_shared<Gateway>(std::move(options), std::move(services));
  return [gateway](HttpExchange& exchange) { return serve_with(gateway, exchange); };
}

}  // namespace holdfast::s3
