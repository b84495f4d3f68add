// A request's body on its way into the store: unframed, hashed once for everything that needs it, checked.
#pragma once

#include "s3gw/auth/chunked_body.h"
#include "s3gw/handlers/request_parts.h"
#include "storage/base/md5_lanes.h"

namespace holdfast::s3 {

// What the body turned out to be.
struct TakenBody {
  std::unique_ptr<BodySink> sink;
  std::string etag;    // hexadecimal MD5; empty: left to the store
  Checksum checksum;   // what is kept; FULL_OBJECT
  Checksum announced;  // what the client named, checked; none where it named nothing
};

// Used by one thread at a time; its calls block.
class BodyIntake {
 public:
  // Reads the headers. MissingContentLength, InvalidDigest, EntityTooLarge, ...
  // `kept` is the algorithm of the checksum to keep; kNone: the announced one, or CRC64NVME where none is announced.
  // `open`: where the body goes, given its size. `store_hashes`: the MD5 is left to the store, unless the client wants it checked.
  using OpenSink = std::function<Result<std::unique_ptr<BodySink>>(uint64_t size_bytes)>;
  static S3Result<std::unique_ptr<BodyIntake>> begin(std::shared_ptr<const Call> call, ChecksumAlgorithm kept, const OpenSink& open,
                                                      bool store_hashes = false);

  // Where the next bytes from the socket may be received, beside a feed() of those in the room before it.
  MutableByteSpan room(uint64_t most_bytes);
  // Bytes as they come from the socket. They stay until kMostBehind more calls have returned, or this has ended: their MD5 may be behind.
  S3Result<void> feed(ByteSpan raw);
  // After the last byte: BadDigest, IncompleteBody, XAmzContentSHA256Mismatch, SignatureDoesNotMatch.
  S3Result<TakenBody> finish();

  // On the wire; none: with chunked transfer coding it shows in the end.
  std::optional<uint64_t> raw_bytes() const { return raw_bytes_; }
  uint64_t object_bytes() const { return object_bytes_; }

 private:
  explicit BodyIntake(std::shared_ptr<const Call> call);
  S3Result<void> take(ByteSpan plain);
  S3Result<void> check_announced(const std::string& value) const;

  std::shared_ptr<const Call> call_;
  static constexpr size_t kMostBehind = 3;
  // One to receive into, one that is taken, and those that wait to be hashed together with others' bytes.
  std::array<AlignedBuffer, kMostBehind + 2> rooms_;
  size_t next_room_ = 0;
  std::optional<uint64_t> raw_bytes_;
  uint64_t object_bytes_ = 0;
  uint64_t taken_bytes_ = 0;
  std::string content_md5_;  // raw; empty: not given
  Checksum announced_;
  std::optional<ChunkedBody> chunks_;
  bool store_hashes_ = false;
  LaneMd5 md5_;  // ends before the rooms
  std::optional<Digest> sha256_;
  Checksum kept_;
  std::optional<RunningChecksum> checksum_;         // kept
  std::optional<RunningChecksum> other_announced_;  // announced, where another is kept
  std::unique_ptr<BodySink> sink_;
};

// Into the store; may wait for a device.
BodyIntake::OpenSink store_sink(const Call& call);

// Moves the exchange's body into the intake, receiving the next piece while a worker takes the last one.
boost::asio::awaitable<S3Result<TakenBody>> receive_body(std::shared_ptr<BodyIntake> intake,
                                                         std::shared_ptr<const Call> call, HttpExchange& exchange);

}  // namespace holdfast::s3
