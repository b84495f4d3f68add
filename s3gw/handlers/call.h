// One authenticated request on its way through a handler.
#pragma once

#include "s3gw/auth/sigv4_check.h"
#include "s3gw/gateway.h"
#include "s3gw/protocol/operation.h"

namespace holdfast::s3 {

// A body of this size is taken in one piece.
inline constexpr uint64_t kSmallBodyBytes = 64 << 10;

struct Call {
  const GatewayOptions* options = nullptr;
  const GatewayServices* services = nullptr;
  const HttpRequest* http = nullptr;
  Operation operation{};
  Target target;
  Query query;
  Authenticated auth;
  std::string request_id;
  std::string body;  // of operations that take a document

  const std::string& bucket() const { return target.bucket; }
  const std::string& key() const { return target.key; }
  std::string_view header(std::string_view name) const { return http->headers.get(name); }
  ObjectStore& objects() const { return *services->objects; }
  BucketStore& buckets() const { return *services->buckets; }
};

// Operations whose bodies are documents run on a worker thread and answer at once.
using DocumentHandler = S3Result<HttpResponse> (*)(const Call&);
// Null: the operation streams, or does not exist.
DocumentHandler document_handler(Operation operation);

// One handler file an operation family.
S3Result<HttpResponse> list_buckets(const Call& call);
S3Result<HttpResponse> create_bucket(const Call& call);
S3Result<HttpResponse> head_bucket(const Call& call);
S3Result<HttpResponse> delete_bucket(const Call& call);
S3Result<HttpResponse> get_bucket_location(const Call& call);
S3Result<HttpResponse> get_bucket_versioning(const Call& call);
S3Result<HttpResponse> put_bucket_versioning(const Call& call);
S3Result<HttpResponse> get_object_lock_configuration(const Call& call);
S3Result<HttpResponse> put_object_lock_configuration(const Call& call);
S3Result<HttpResponse> get_bucket_tagging(const Call& call);
S3Result<HttpResponse> put_bucket_tagging(const Call& call);
S3Result<HttpResponse> delete_bucket_tagging(const Call& call);
S3Result<HttpResponse> get_acl(const Call& call);
S3Result<HttpResponse> get_absent_configuration(const Call& call);

S3Result<HttpResponse> list_objects(const Call& call);
S3Result<HttpResponse> list_object_versions(const Call& call);

S3Result<HttpResponse> delete_object(const Call& call);
S3Result<HttpResponse> delete_objects(const Call& call);
S3Result<HttpResponse> copy_object(const Call& call);
S3Result<HttpResponse> get_object_attributes(const Call& call);

S3Result<HttpResponse> get_object_tagging(const Call& call);
S3Result<HttpResponse> put_object_tagging(const Call& call);
S3Result<HttpResponse> delete_object_tagging(const Call& call);
S3Result<HttpResponse> get_object_retention(const Call& call);
S3Result<HttpResponse> put_object_retention(const Call& call);
S3Result<HttpResponse> get_object_legal_hold(const Call& call);
S3Result<HttpResponse> put_object_legal_hold(const Call& call);

S3Result<HttpResponse> create_multipart_upload(const Call& call);
S3Result<HttpResponse> upload_part_copy(const Call& call);
S3Result<HttpResponse> complete_multipart_upload(const Call& call);
S3Result<HttpResponse> abort_multipart_upload(const Call& call);
S3Result<HttpResponse> list_parts(const Call& call);
S3Result<HttpResponse> list_multipart_uploads(const Call& call);

// Sends what a handler made, with the request id; passes its error on.
boost::asio::awaitable<S3Result<void>> send_answer(std::shared_ptr<const Call> call, HttpExchange& exchange,
                                                   S3Result<HttpResponse> response);

// The streaming ones answer by themselves; an error is returned while nothing has been sent.
boost::asio::awaitable<S3Result<void>> put_object(std::shared_ptr<Call> call, HttpExchange& exchange);
boost::asio::awaitable<S3Result<void>> upload_part(std::shared_ptr<Call> call, HttpExchange& exchange);
boost::asio::awaitable<S3Result<void>> get_object(std::shared_ptr<Call> call, HttpExchange& exchange);

}  // namespace holdfast::s3
