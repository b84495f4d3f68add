#include "s3gw/handlers/body_intake.h"

#include "storage/net/offload.h"

namespace holdfast::s3 {

namespace {
constexpr uint64_t kMaxPutBytes = 5ULL << 30;
constexpr size_t kPieceBytes = 512 << 10;
}  // namespace

BodyIntake::BodyIntake(std::shared_ptr<const Call> call) : call_(std::move(call)), md5_(call_->services->md5) {}

S3Result<std::unique_ptr<BodyIntake>> BodyIntake::begin(std::shared_ptr<const Call> call, ChecksumAlgorithm kept, const OpenSink& open, bool store_hashes) {
  std::unique_ptr<BodyIntake> intake(new BodyIntake(call));
  const HttpRequest& http = *call->http;
  const bool framed = call->auth.payload != Payload::kHashed && call->auth.payload != Payload::kUnsigned;
  // A body with chunked transfer coding says its length only where it is framed for S3 as well.
  if (!http.content_length && !(http.chunked && framed)) return s3_fail("MissingContentLength");
  if (!http.chunked) intake->raw_bytes_ = intake->object_bytes_ = *http.content_length;
  if (framed) {
    const std::string decoded(call->header("x-amz-decoded-content-length"));
    const auto bytes = parse_number(decoded, "x-amz-decoded-content-length", 0, UINT64_MAX / 2);
    if (!bytes) return s3_fail("MissingContentLength");
    intake->object_bytes_ = *bytes;
    intake->chunks_.emplace(call->auth);
  }
  if (intake->object_bytes_ > kMaxPutBytes) return s3_fail("EntityTooLarge");
  HF_TRY(intake->content_md5_, announced_md5(*call));
  intake->store_hashes_ = store_hashes && intake->content_md5_.empty();
  HF_TRY(intake->announced_, announced_checksum(*call));
  const ChecksumAlgorithm announced = intake->announced_.algorithm;
  const bool any = announced != ChecksumAlgorithm::kNone;
  if (kept == ChecksumAlgorithm::kNone) kept = or_default(announced);
  intake->kept_.algorithm = kept;
  intake->checksum_.emplace(kept);
  if (any && announced != kept) intake->other_announced_.emplace(announced);
  if (call->auth.payload == Payload::kHashed) intake->sha256_.emplace(DigestKind::kSha256);
  HF_TRY(intake->sink_, open(intake->object_bytes_));
  return intake;
}

BodyIntake::OpenSink store_sink(const Call& call) {
  return [&call](uint64_t size_bytes) { return call.objects().open_body(call.bucket(), size_bytes); };
}

MutableByteSpan BodyIntake::room(uint64_t most_bytes) {
  AlignedBuffer& room = rooms_[next_room_];
  next_room_ = (next_room_ + 1) % rooms_.size();
  const size_t size = std::min<uint64_t>(kPieceBytes, most_bytes);
  if (room.size() < size) room = AlignedBuffer(size);
  return room.span().first(size);
}

S3Result<void> BodyIntake::feed(ByteSpan raw) {
  md5_.wait(kMostBehind - 1);
  if (!chunks_) return take(raw);
  return chunks_->feed(raw, [this](ByteSpan plain) { return take(plain); });
}

S3Result<void> BodyIntake::take(ByteSpan plain) {
  taken_bytes_ += plain.size();
  if (taken_bytes_ > object_bytes_) return s3_fail("IncompleteBody");
  if (!store_hashes_) md5_.begin(plain);
  if (sha256_) sha256_->update(plain);
  checksum_->update(plain);
  if (other_announced_) other_announced_->update(plain);
  HF_CHECK(sink_->append(plain));
  return {};
}

// The value the client announced, in a header or in the trailer, against what was computed.
S3Result<void> BodyIntake::check_announced(const std::string& value) const {
  std::string expected = announced_.value;
  const std::string name = checksum_header(announced_.algorithm);
  bool trailing = false;
  if (chunks_) {
    const auto promised = call_->header("x-amz-trailer");
    for (const auto& [trailer, text] : chunks_->trailers()) {
      if (promised.empty() || trailer != promised) return s3_fail("MalformedTrailerError");
      trailing = trailer == name;
      if (trailing) expected = text;
    }
    if (promised.starts_with("x-amz-checksum-") && !trailing) return s3_fail("MalformedTrailerError");
  }
  if (expected.empty()) return {};
  if (!valid_checksum(announced_.algorithm, expected)) {
    return s3_fail("InvalidRequest", "Value for " + name + (trailing ? " trailing" : "") + " header is invalid.");
  }
  if (expected == value) return {};
  return s3_fail("BadDigest", "The " + std::string(checksum_name(announced_.algorithm)) +
                                  " you specified did not match the calculated checksum.");
}

S3Result<TakenBody> BodyIntake::finish() {
  if (chunks_) HF_CHECK(chunks_->finish());
  if (taken_bytes_ != object_bytes_) return s3_fail("IncompleteBody");
  TakenBody body;
  const std::string md5 = store_hashes_ ? std::string() : md5_.finish();
  body.etag = hex(as_bytes(md5));
  if (!content_md5_.empty() && content_md5_ != md5) {
    return s3_fail_with({{"ExpectedDigest", hex(as_bytes(content_md5_))}, {"CalculatedDigest", base64(as_bytes(md5))}}, "BadDigest");
  }
  if (sha256_) {
    const std::string computed = hex(as_bytes(sha256_->finish()));
    if (computed != call_->auth.payload_sha256) return payload_mismatch(call_->auth.payload_sha256, computed);
  }
  body.checksum = kept_;
  body.checksum.value = checksum_->finish_base64();
  body.announced.algorithm = announced_.algorithm;
  if (announced_.algorithm != ChecksumAlgorithm::kNone) {
    body.announced.value = other_announced_ ? other_announced_->finish_base64() : body.checksum.value;
  }
  HF_CHECK(check_announced(body.announced.value));
  body.sink = std::move(sink_);
  return body;
}

boost::asio::awaitable<S3Result<TakenBody>> receive_body(std::shared_ptr<BodyIntake> intake,
                                                         std::shared_ptr<const Call> call, HttpExchange& exchange) {
  auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::thread_pool& workers = *call->services->workers;
  Background<S3Result<void>> worker(executor);
  uint64_t left = intake->raw_bytes().value_or(UINT64_MAX);
  const bool open_end = !intake->raw_bytes();
  S3Result<void> state;
  while (left > 0 && state) {
    MutableByteSpan into = intake->room(left);
    Result<size_t> n = co_await exchange.read_body(into);
    if (worker.running()) state = co_await worker.finish();
    if (!n || (*n == 0 && !open_end)) {
      exchange.abandon();
      state = s3_fail("IncompleteBody");
    }
    if (!state || *n == 0) break;
    left = open_end && *n < into.size() ? 0 : left - *n;
    const ByteSpan bytes = into.first(*n);
    auto feed = [intake, bytes] { return intake->feed(bytes); };
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
