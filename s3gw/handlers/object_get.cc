// GetObject and HeadObject.
#include "s3gw/handlers/request_parts.h"
#include "storage/net/offload.h"

namespace holdfast::s3 {

namespace {

constexpr size_t kPieceBytes = 512 << 10;

// An object opened for one answer.
struct Opened {
  std::unique_ptr<ObjectReader> reader;
  HttpResponse head;
  uint64_t first = 0;  // of the bytes to send
  uint64_t size = 0;
  AlignedBuffer room;  // for a piece
  ByteSpan piece;      // the first of them, read already
};

S3Result<std::pair<ByteRange, uint64_t>> choose_range(const Call& call, const ObjectInfo& info) {
  if (!call.query.has("partNumber")) {
    HF_TRY(const ByteRange range, parse_range(call.header("range"), info.size_bytes));
    return std::pair(range, uint64_t{0});
  }
  if (call.http->headers.has("range")) return s3_fail("InvalidRequest", "Cannot specify both Range header and partNumber query parameter");
  HF_TRY(const uint32_t number, parse_part_number(call));
  if (info.parts.empty()) {
    if (number != 1) return s3_fail("InvalidPartNumber");
    return std::pair(ByteRange{0, info.size_bytes, true}, uint64_t{0});
  }
  uint64_t at = 0;
  for (const PartInfo& p : info.parts) {
    if (p.number == number) return std::pair(ByteRange{at, p.size_bytes, true}, uint64_t{info.parts.size()});
    at += p.size_bytes;
  }
  return s3_fail("InvalidPartNumber");
}

S3Result<std::shared_ptr<Opened>> open_object(const Call& call) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  HF_CHECK(check_encryption_headers(call));
  HF_TRY(const VersionRef ref, version_of(call));
  if (call.query.has("partNumber")) HF_CHECK(parse_part_number(call));
  auto opened = std::make_shared<Opened>();
  HF_TRY(opened->reader, call.objects().get(call.bucket(), call.key(), ref));
  const ObjectInfo& info = opened->reader->info();
  add_version_header(info, bucket, opened->head.headers);
  if (info.is_marker) {
    opened->head.headers.add("x-amz-delete-marker", "true");
    opened->head.status = ref.latest() ? 404 : 405;
    return opened;
  }
  HF_CHECK(check_read_conditions(call, info, ""));
  HF_TRY(const auto chosen, choose_range(call, info));
  const ByteRange& range = chosen.first;
  add_object_headers(call, info, opened->head.headers);
  if (chosen.second > 0) opened->head.headers.add("x-amz-mp-parts-count", std::to_string(chosen.second));
  if (range.partial && info.size_bytes > 0) {
    opened->head.status = 206;
    opened->head.headers.add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                                  std::to_string(range.first + range.size - 1) + "/" +
                                                  std::to_string(info.size_bytes));
  }
  const bool whole = !range.partial || range.size == info.size_bytes;
  if (whole && call.header("x-amz-checksum-mode") == "ENABLED") add_checksum_headers(info.checksum, opened->head.headers);
  opened->first = range.first;
  opened->size = range.size;
  if (call.http->method == "HEAD" || range.size == 0) return opened;
  opened->room = AlignedBuffer(std::min<uint64_t>(range.size, kPieceBytes));
  HF_CHECK(opened->reader->read(range.first, opened->room.span()));
  opened->piece = opened->room.span();
  return opened;
}

}  // namespace

boost::asio::awaitable<S3Result<void>> get_object(std::shared_ptr<Call> call, HttpExchange& exchange) {
  boost::asio::thread_pool& workers = *call->services->workers;
  auto open = [call] { return open_object(*call); };
  S3Result<std::shared_ptr<Opened>> opened = co_await offload(workers, std::move(open));
  S3Result<void> result;
  if (!opened) {
    result = std::unexpected(opened.error());
    co_return result;
  }
  std::shared_ptr<Opened> o = *opened;
  o->head.headers.add("x-amz-request-id", call->request_id);
  if (o->head.status == 404 || o->head.status == 405) {
    const S3Error absent = s3_error(o->head.status == 404 ? "NoSuchKey" : "MethodNotAllowed");
    o->head.headers.add("Content-Type", "application/xml");
    if (call->http->method != "HEAD") o->head.body = error_document(absent, call->http->path(), call->request_id);
    (void)co_await exchange.respond(std::move(o->head));
    co_return result;
  }
  auto executor = co_await boost::asio::this_coro::executor;
  Background<Result<void>> ahead(executor);
  auto next = std::make_shared<AlignedBuffer>();
  uint64_t next_bytes = 0;
  uint64_t read_to = o->piece.size();
  const auto read_ahead = [&] {
    const uint64_t n = std::min<uint64_t>(kPieceBytes, o->size - read_to);
    if (n == 0) return;
    if (next->size() < n) *next = AlignedBuffer(n);
    next_bytes = n;
    const uint64_t from = o->first + read_to;
    ahead.start(workers, [o, next, from, n] { return o->reader->read(from, next->span().first(n)); });
    read_to += n;
  };
  const bool body = call->http->method != "HEAD";
  if (body) read_ahead();
  const ByteSpan first = o->piece;
  Result<void> sent = co_await exchange.start_response(std::move(o->head), o->size, first);
  uint64_t sent_bytes = o->piece.size();
  while (body && sent_bytes < o->size) {
    Result<void> got = co_await ahead.finish();
    // The answer has begun: damage found now can only cut the connection.
    if (!got || !sent) {
      exchange.abandon();
      if (!got) result = std::unexpected(S3Error(got.error()));
      break;
    }
    std::swap(o->room, *next);
    const ByteSpan piece = o->room.span().first(next_bytes);
    read_ahead();
    sent = co_await exchange.write_body(piece);
    sent_bytes += piece.size();
  }
  if (ahead.running()) (void)co_await ahead.finish();
  co_return result;
}

}  // namespace holdfast::s3
