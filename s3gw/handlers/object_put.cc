// PutObject and UploadPart: bodies that stream.
#include "s3gw/handlers/body_intake.h"
#include "storage/net/offload.h"

namespace holdfast::s3 {

namespace {

// A body that has been taken and checked, with everything the store wants to know of it.
struct ReadyPut {
  Bucket bucket;
  PutRequest request;
  std::unique_ptr<BodySink> sink;
};

S3Result<ReadyPut> ready_put(const Call& call, Bucket bucket, Attributes attributes, TakenBody body) {
  ReadyPut put;
  put.bucket = std::move(bucket);
  put.request.bucket = call.bucket();
  put.request.key = call.key();
  put.request.attributes = std::move(attributes);
  put.request.etag = body.etag;
  put.request.checksum = body.checksum;
  HF_TRY(put.request.conditions, write_conditions(call));
  put.sink = std::move(body.sink);
  return put;
}

HttpResponse put_answer(const Call& call, const Bucket& bucket, const ObjectInfo& made) {
  HttpResponse response;
  response.headers.add("ETag", quoted(made.etag));
  response.headers.add("x-amz-object-size", std::to_string(made.size_bytes));
  add_checksum_headers(made.checksum, response.headers);
  add_encryption_header(call, response.headers);
  add_version_header(made, bucket, response.headers);
  return response;
}

S3Result<HttpResponse> commit(const Call& call, ReadyPut put) {
  HF_TRY(const ObjectInfo made, call.objects().put(std::move(put.request), std::move(put.sink)));
  return put_answer(call, put.bucket, made);
}

S3Result<HttpResponse> commit_object(const Call& call, Attributes attributes, TakenBody body) {
  HF_TRY(Bucket bucket, call.buckets().bucket(call.bucket()));  // as it is after the body
  HF_TRY(ReadyPut put, ready_put(call, std::move(bucket), std::move(attributes), std::move(body)));
  return commit(call, std::move(put));
}

S3Result<HttpResponse> commit_part(const Call& call, const Upload& upload, uint32_t number, TakenBody body) {
  PartInfo info;
  info.number = number;
  info.etag = body.etag;
  info.checksum = body.checksum.value;
  HF_TRY(const PartInfo made, call.objects().put_part(call.bucket(), call.key(), upload.id, info, std::move(body.sink)));
  HttpResponse response;
  response.headers.add("ETag", quoted(made.etag));
  // What the client asked for, at the upload's beginning or with the part.
  const bool of_upload = upload.checksum.algorithm != ChecksumAlgorithm::kNone;
  const Checksum& shown = of_upload ? body.checksum : body.announced;
  if (!shown.value.empty()) response.headers.add(checksum_header(shown.algorithm), shown.value);
  add_encryption_header(call, response.headers);
  return response;
}

struct PreparedObject {
  Bucket bucket;
  Attributes attributes;
  std::shared_ptr<BodyIntake> intake;
};

// Everything that can be said before the body is read.
S3Result<PreparedObject> prepare_object(std::shared_ptr<const Call> call, const BodyIntake::OpenSink& open, bool store_hashes) {
  PreparedObject p;
  HF_TRY(p.bucket, call->buckets().bucket(call->bucket()));
  HF_CHECK(check_encryption_headers(*call));
  HF_TRY(p.attributes, attributes_from_headers(*call, p.bucket));
  HF_TRY(p.intake, BodyIntake::begin(call, ChecksumAlgorithm::kNone, open, store_hashes));
  return p;
}

S3Result<std::pair<Upload, std::shared_ptr<BodyIntake>>> prepare_part(std::shared_ptr<const Call> call) {
  HF_CHECK(check_encryption_headers(*call));
  HF_TRY(Upload upload, call->objects().upload(call->bucket(), call->key(), call->query.get("uploadId")));
  HF_TRY(const Checksum announced, announced_checksum(*call));
  const ChecksumAlgorithm wanted = upload.checksum.algorithm;
  const bool any = announced.algorithm != ChecksumAlgorithm::kNone;
  const bool needed = wanted != ChecksumAlgorithm::kNone && upload.checksum.type == ChecksumType::kComposite;
  if (any ? wanted != ChecksumAlgorithm::kNone && announced.algorithm != wanted : needed) {
    return s3_fail("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: " +
                                         std::string(checksum_name(wanted)) + ", actual checksum Type: " +
                                         (any ? std::string(checksum_name(announced.algorithm)) : "null"));
  }
  HF_TRY(auto intake, BodyIntake::begin(call, or_default(wanted), store_sink(*call)));
  return std::pair(std::move(upload), std::shared_ptr<BodyIntake>(std::move(intake)));
}

// A small object in one go: its body is here already.
S3Result<ReadyPut> take_small(std::shared_ptr<const Call> call, ByteSpan raw, const BodyIntake::OpenSink& open, bool store_hashes) {
  HF_TRY(auto prepared, prepare_object(call, open, store_hashes));
  HF_CHECK(prepared.intake->feed(raw));
  HF_TRY(TakenBody body, prepared.intake->finish());
  return ready_put(*call, std::move(prepared.bucket), std::move(prepared.attributes), std::move(body));
}

S3Result<HttpResponse> put_small(std::shared_ptr<const Call> call, ByteSpan raw) {
  HF_TRY(ReadyPut put, take_small(call, raw, store_sink(*call), false));
  return commit(*call, std::move(put));
}

// Nothing: the store would have to wait.
std::optional<S3Result<ReadyPut>> take_small_now(std::shared_ptr<const Call> call, ByteSpan raw) {
  PromptStore* const prompt = call->services->prompt;
  if (prompt == nullptr) return std::nullopt;
  bool waits = false;
  const auto open = [&](uint64_t size_bytes) -> Result<std::unique_ptr<BodySink>> {
    auto sink = prompt->open_body_now(call->bucket(), size_bytes);
    waits = sink == nullptr;
    if (waits) return error(Code::kUnavailable, "not now");
    return sink;
  };
  // Where there are lanes the committer fills them with the bodies of a group; else each thread hashes its own.
  const bool store_hashes = !md5_lane_kernels().empty();
  auto taken = take_small(call, raw, open, store_hashes);
  if (waits) return std::nullopt;
  return taken;
}

boost::asio::awaitable<S3Result<HttpResponse>> put_soon(std::shared_ptr<const Call> call, std::shared_ptr<ReadyPut> put) {
  const auto start = [call, put](PromptStore::PutDone done) {
    call->services->prompt->put_soon(std::move(put->request), std::move(put->sink), std::move(done));
  };
  Result<ObjectInfo> made = co_await completion_of<Result<ObjectInfo>>(start);
  S3Result<HttpResponse> answer;
  if (made) {
    answer = put_answer(*call, put->bucket, *made);
  } else {
    answer = std::unexpected(S3Error(made.error()));
  }
  co_return answer;
}

// From this thread straight to the committer, or in one trip to a worker instead of four: for small objects the trips cost more than the work.
boost::asio::awaitable<S3Result<void>> put_small_object(std::shared_ptr<Call> call, HttpExchange& exchange) {
  S3Result<void> result;
  auto raw = std::make_shared<Bytes>(*call->http->content_length);
  MutableByteSpan into(*raw);
  Result<size_t> n = co_await exchange.read_body(into);
  if (!n || *n != raw->size()) {
    exchange.abandon();
    result = s3_fail("IncompleteBody");
    co_return result;
  }
  std::optional<S3Result<ReadyPut>> taken = take_small_now(call, *raw);
  S3Result<HttpResponse> response;
  if (taken && *taken) {
    auto put = std::make_shared<ReadyPut>(std::move(**taken));
    response = co_await put_soon(call, put);
  } else if (taken) {
    response = std::unexpected(taken->error());
  } else {
    auto work = [call, raw] { return put_small(call, *raw); };
    response = co_await offload(*call->services->workers, std::move(work));
  }
  result = co_await send_answer(call, exchange, std::move(response));
  co_return result;
}

using CommitBody = std::function<S3Result<HttpResponse>(TakenBody)>;

// Takes the body, then commits what was made of it, on a worker.
boost::asio::awaitable<S3Result<void>> receive_and_commit(std::shared_ptr<Call> call, HttpExchange& exchange, std::shared_ptr<BodyIntake> intake, CommitBody commit) {
  S3Result<void> result;
  S3Result<TakenBody> body = co_await receive_body(std::move(intake), call, exchange);
  if (!body) {
    result = std::unexpected(body.error());
    co_return result;
  }
  auto taken = std::make_shared<TakenBody>(std::move(*body));
  auto work = [taken, commit = std::move(commit)] { return commit(std::move(*taken)); };
  S3Result<HttpResponse> response = co_await offload(*call->services->workers, std::move(work));
  result = co_await send_answer(call, exchange, std::move(response));
  co_return result;
}

}  // namespace

boost::asio::awaitable<S3Result<void>> put_object(std::shared_ptr<Call> call, HttpExchange& exchange) {
  S3Result<void> result;
  const HttpRequest& http = *call->http;
  if (http.content_length && *http.content_length <= kSmallBodyBytes && !http.expects_continue && !http.chunked) {
    result = co_await put_small_object(call, exchange);
    co_return result;
  }
  auto prepare = [call] { return prepare_object(call, store_sink(*call), false); };
  auto prepared = co_await offload(*call->services->workers, std::move(prepare));
  if (!prepared) {
    result = std::unexpected(prepared.error());
    co_return result;
  }
  auto attributes = std::make_shared<Attributes>(std::move(prepared->attributes));
  CommitBody commit = [call, attributes](TakenBody body) { return commit_object(*call, std::move(*attributes), std::move(body)); };
  result = co_await receive_and_commit(call, exchange, prepared->intake, std::move(commit));
  co_return result;
}

boost::asio::awaitable<S3Result<void>> upload_part(std::shared_ptr<Call> call, HttpExchange& exchange) {
  S3Result<void> result;
  auto number = parse_part_number(*call);
  if (!number) {
    result = std::unexpected(number.error());
    co_return result;
  }
  auto prepare = [call] { return prepare_part(call); };
  auto prepared = co_await offload(*call->services->workers, std::move(prepare));
  if (!prepared) {
    result = std::unexpected(prepared.error());
    co_return result;
  }
  const auto part = static_cast<uint32_t>(*number);
  auto upload = std::make_shared<const Upload>(std::move(prepared->first));
  CommitBody commit = [call, part, upload](TakenBody body) { return commit_part(*call, *upload, part, std::move(body)); };
  result = co_await receive_and_commit(call, exchange, prepared->second, std::move(commit));
  co_return result;
}

}  // namespace holdfast::s3
