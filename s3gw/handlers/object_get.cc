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
  ByteSpan piece;      // the first of them
  bool is_read = true;
  bool is_cached = false;  // it was in memory: so may be the others
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

// What can be said before the object is looked up.
S3Result<VersionRef> asked_version(const Call& call) {
  HF_CHECK(check_encryption_headers(call));
  HF_TRY(const VersionRef ref, version_of(call));
  if (call.query.has("partNumber")) HF_CHECK(parse_part_number(call));
  return ref;
}

// The answer's head, and which bytes are to follow it.
S3Result<std::shared_ptr<Opened>> describe(const Call& call, const VersionRef& ref, std::unique_ptr<ObjectReader> reader) {
  HF_TRY(const Bucket bucket, call.buckets().bucket(call.bucket()));
  auto opened = std::make_shared<Opened>();
  opened->reader = std::move(reader);
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
  const bool body = call.http->method != "HEAD";
  if (body && range.size > 0) opened->room = AlignedBuffer(std::min<uint64_t>(range.size, kPieceBytes));
  opened->piece = opened->room.span();
  opened->is_read = opened->piece.empty();
  return opened;
}

S3Result<std::shared_ptr<Opened>> read_first(std::shared_ptr<Opened> opened) {
  HF_CHECK(opened->reader->read(opened->first, opened->room.span()));
  opened->is_read = true;
  return opened;
}

S3Result<std::shared_ptr<Opened>> open_object(const Call& call) {
  HF_TRY(const VersionRef ref, asked_version(call));
  HF_TRY(auto reader, call.objects().get(call.bucket(), call.key(), ref));
  HF_TRY(auto opened, describe(call, ref, std::move(reader)));
  return opened->is_read ? opened : read_first(std::move(opened));
}

// Without waiting, and perhaps without the first piece. Nothing: ask open_object().
std::optional<S3Result<std::shared_ptr<Opened>>> open_object_now(const Call& call) {
  if (call.services->prompt == nullptr) return std::nullopt;
  const auto ref = asked_version(call);
  if (!ref) return std::unexpected(ref.error());
  auto reader = call.services->prompt->get_now(call.bucket(), call.key(), *ref);
  if (!reader) return std::nullopt;
  if (!*reader) return std::unexpected(S3Error(reader->error()));
  auto opened = describe(call, *ref, std::move(**reader));
  if (!opened || (*opened)->is_read) return opened;
  const auto read = (*opened)->reader->read_now((*opened)->first, (*opened)->room.span());
  if (!read) return std::unexpected(S3Error(read.error()));
  (*opened)->is_read = (*opened)->is_cached = *read;
  return opened;
}

boost::asio::awaitable<S3Result<std::shared_ptr<Opened>>> open_with_first_piece(std::shared_ptr<Call> call) {
  boost::asio::thread_pool& workers = *call->services->workers;
  std::optional<S3Result<std::shared_ptr<Opened>>> now = open_object_now(*call);
  S3Result<std::shared_ptr<Opened>> opened;
  if (!now) {
    auto open = [call] { return open_object(*call); };
    opened = co_await offload(workers, std::move(open));
    co_return opened;
  }
  opened = std::move(*now);
  if (opened && !(*opened)->is_read) {
    auto read = [o = *opened] { return read_first(o); };
    opened = co_await offload(workers, std::move(read));
  }
  co_return opened;
}

// The pieces behind the first one, in order. While they are in memory this thread reads them, which spares two threads' turns and finds them in
// the processor's cache when they are sent; from the first that is not on, a worker reads one ahead of what is sent.
class Pieces {
 public:
  Pieces(std::shared_ptr<Opened> opened, boost::asio::thread_pool& workers, boost::asio::any_io_executor executor)
      : o_(std::move(opened)), workers_(workers), ahead_(executor), next_(std::make_shared<AlignedBuffer>()), read_to_(o_->piece.size()) {}

  // To be called before a piece is sent.
  void read_ahead() {
    if (!o_->is_cached) start();
  }

  // Valid until the next call.
  boost::asio::awaitable<Result<ByteSpan>> next() {
    const MutableByteSpan room = o_->room.span().first(std::min<uint64_t>(o_->room.size(), o_->size - read_to_));
    Result<ByteSpan> piece = ByteSpan(room);
    if (o_->is_cached) {
      Result<bool> read = o_->reader->read_now(o_->first + read_to_, room);
      if (!read) piece = std::unexpected(read.error());
      o_->is_cached = read && *read;
      if (!read || *read) {
        read_to_ += room.size();
        co_return piece;
      }
      start();
    }
    Result<void> got = co_await ahead_.finish();
    std::swap(o_->room, *next_);
    piece = ByteSpan(o_->room.span().first(next_bytes_));
    if (!got) piece = std::unexpected(got.error());
    co_return piece;
  }

  // Must be awaited before this goes.
  boost::asio::awaitable<void> end() {
    if (ahead_.running()) (void)co_await ahead_.finish();
  }

 private:
  void start() {
    const uint64_t n = std::min<uint64_t>(kPieceBytes, o_->size - read_to_);
    if (n == 0) return;
    if (next_->size() < n) *next_ = AlignedBuffer(n);
    next_bytes_ = n;
    const uint64_t from = o_->first + read_to_;
    ahead_.start(workers_, [o = o_, next = next_, from, n] { return o->reader->read(from, next->span().first(n)); });
    read_to_ += n;
  }

  std::shared_ptr<Opened> o_;
  boost::asio::thread_pool& workers_;
  Background<Result<void>> ahead_;
  std::shared_ptr<AlignedBuffer> next_;
  uint64_t next_bytes_ = 0;
  uint64_t read_to_;
};

}  // namespace

boost::asio::awaitable<S3Result<void>> get_object(std::shared_ptr<Call> call, HttpExchange& exchange) {
  boost::asio::thread_pool& workers = *call->services->workers;
  S3Result<std::shared_ptr<Opened>> opened = co_await open_with_first_piece(call);
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
  Pieces pieces(o, workers, executor);
  const bool body = call->http->method != "HEAD";
  const ByteSpan first = o->piece;
  if (body) pieces.read_ahead();
  Result<void> sent = co_await exchange.start_response(std::move(o->head), o->size, first);
  uint64_t sent_bytes = first.size();
  while (body && sent_bytes < o->size) {
    Result<ByteSpan> piece = co_await pieces.next();
    // The answer has begun: damage found now can only cut the connection.
    if (!piece || !sent) {
      exchange.abandon();
      if (!piece) result = std::unexpected(S3Error(piece.error()));
      break;
    }
    pieces.read_ahead();
    const ByteSpan bytes = *piece;
    sent = co_await exchange.write_body(bytes);
    sent_bytes += bytes.size();
  }
  co_await pieces.end();
  co_return result;
}

}  // namespace holdfast::s3
