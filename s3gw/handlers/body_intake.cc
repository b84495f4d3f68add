#include "s3gw/handlers/body_intake.h"

#include "storage/net/offload.h"

namespace holdfast::s3 {

namespace {
constexpr uint64_t kMaxPutBytes = 5ULL << 30;
constexpr size_t kPieceBytes = 256 << 10;
}  // namespace

S3Result<std::unique_ptr<BodyIntake>> BodyIntake::begin(std::shared_ptr<const Call> call, ChecksumAlgorithm default_checksum) {
  std::unique_ptr<BodyIntake> intake(new BodyIntake(call));
  const HttpRequest& http = *call->http;
  if (http.chunked) return s3_fail("NotImplemented", "Transfer-Encoding: chunked is not implemented; send a Content-Length");
  if (!http.content_length) return s3_fail("MissingContentLength");
  intake->raw_bytes_ = intake->object_bytes_ = *http.content_length;
  const bool framed = call->auth.payload != Payload::kHashed && call->auth.payload != Payload::kUnsigned;
  if (framed) {
    const std::string decoded(call->header("x-amz-decoded-content-length"));
    if (decoded.empty()) return s3_fail("MissingContentLength", "The x-amz-decoded-content-length header is missing");
    HF_TRY(intake->object_bytes_, parse_number(decoded, "x-amz-decoded-content-length", 0, UINT64_MAX / 2));
    intake->chunks_.emplace(call->auth);
  }
  if (intake->object_bytes_ > kMaxPutBytes) return s3_fail("EntityTooLarge");
  if (const auto md5 = call->header("content-md5"); http.headers.has("content-md5")) {
    const auto raw = from_base64(md5);
    if (!raw || raw->size() != 16) return s3_fail("InvalidDigest");
    intake->content_md5_ = std::string(as_text(*raw));
  }
  HF_TRY(intake->announced_, announced_checksum(*call));
  if (intake->announced_.algorithm == ChecksumAlgorithm::kNone) intake->announced_.algorithm = default_checksum;
  if (intake->announced_.algorithm != ChecksumAlgorithm::kNone) intake->checksum_.emplace(intake->announced_.algorithm);
  if (call->auth.payload == Payload::kHashed) intake->sha256_.emplace(DigestKind::kSha256);
  HF_TRY(intake->sink_, call->objects().open_body(call->bucket(), intake->object_bytes_));
  return intake;
}

S3Result<void> BodyIntake::feed(ByteSpan raw) {
  if (!chunks_) return take(raw);
  return chunks_->feed(raw, [this](ByteSpan plain) { return take(plain); });
}

S3Result<void> BodyIntake::take(ByteSpan plain) {
  taken_bytes_ += plain.size();
  if (taken_bytes_ > object_bytes_) return s3_fail("InvalidRequest", "The body is longer than announced");
  md5_.update(plain);
  if (sha256_) sha256_->update(plain);
  if (checksum_) checksum_->update(plain);
  HF_CHECK(sink_->append(plain));
  return {};
}

S3Result<Checksum> BodyIntake::finish_checksum() {
  Checksum result;
  if (!checksum_) return result;
  result.algorithm = announced_.algorithm;
  result.value = checksum_->finish();
  std::string expected = announced_.value;
  if (chunks_) {
    const std::string name = checksum_header(announced_.algorithm);
    const bool promised = call_->header("x-amz-trailer") == name;
    for (const auto& [trailer, value] : chunks_->trailers()) {
      if (trailer == name) expected = value;
    }
    if (promised && expected.empty()) return s3_fail("InvalidRequest", "The trailer that x-amz-trailer names is missing");
  }
  if (!expected.empty() && !valid_checksum(result.algorithm, expected)) {
    return s3_fail("InvalidRequest", "Value for " + checksum_header(result.algorithm) + " header is invalid.");
  }
  if (!expected.empty() && expected != result.value) {
    return s3_fail("BadDigest", "The " + std::string(checksum_name(result.algorithm)) +
                                    " you specified did not match the calculated checksum.");
  }
  return result;
}

S3Result<TakenBody> BodyIntake::finish() {
  if (chunks_) HF_CHECK(chunks_->finish());
  if (taken_bytes_ != object_bytes_) return s3_fail("IncompleteBody");
  TakenBody body;
  const std::string md5 = md5_.finish();
  body.etag = hex(as_bytes(md5));
  if (!content_md5_.empty() && content_md5_ != md5) {
    return s3_fail("BadDigest", "The Content-MD5 you specified did not match what we received.");
  }
  if (sha256_ && hex(as_bytes(sha256_->finish())) != call_->auth.payload_sha256) return s3_fail("XAmzContentSHA256Mismatch");
  HF_TRY(body.checksum, finish_checksum());
  body.sink = std::move(sink_);
  return body;
}

boost::asio::awaitable<S3Result<TakenBody>> receive_body(std::shared_ptr<BodyIntake> intake,
                                                         std::shared_ptr<const Call> call, HttpExchange& exchange) {
  auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::thread_pool& workers = *call->services->workers;
  Background<S3Result<void>> worker(executor);
  uint64_t left = intake->raw_bytes();
  const size_t piece = std::min<uint64_t>(kPieceBytes, left);
  auto buffers = std::make_shared<std::array<Bytes, 2>>();
  (*buffers)[0].resize(piece);
  if (left > piece) (*buffers)[1].resize(piece);
  S3Result<void> state;
  for (size_t turn = 0; left > 0 && state; turn ^= 1) {
    MutableByteSpan into = MutableByteSpan((*buffers)[turn]).first(std::min<uint64_t>(piece, left));
    Result<size_t> n = co_await exchange.read_body(into);
    if (worker.running()) state = co_await worker.finish();
    if (!n || *n == 0) {
      exchange.abandon();
      state = s3_fail("IncompleteBody");
    }
    if (!state) break;
    left -= *n;
    const ByteSpan bytes = into.first(*n);
    auto feed = [intake, buffers, bytes] { return intake->feed(bytes); };
    worker.start(workers, std::move(feed));
  }
  if (worker.running()) state = co_await worker.finish();
  S3Result<TakenBody> result = std::unexpected(s3_error("InternalError"));
  if (!state) {
    result = std::unexpected(state.error());
    co_return result;
  }
  auto finish = [intake] { return intake->finish(); };
  result = co_await offload(workers, std::move(finish));
  co_return result;
}

}  // namespace holdfast::s3
