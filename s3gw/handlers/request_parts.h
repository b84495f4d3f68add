// Pieces of requests and answers that several operations share.
#pragma once

#include "s3gw/handlers/call.h"
#include "s3gw/protocol/checksums.h"

namespace holdfast::s3 {

// The version id that clients see. It carries the version's sequence, so that markers survive deletion.
std::string version_id(VersionSeq seq, bool is_null);
// From the query parameter; NoSuchVersion or InvalidArgument when it cannot be one.
S3Result<VersionRef> parse_version_id(const std::string& text);
S3Result<VersionRef> version_of(const Call& call);

// Standard and x-amz-meta- headers, tags, lock headers. MetadataTooLarge, InvalidTag, InvalidRequest, ...
S3Result<Attributes> attributes_from_headers(const Call& call, const Bucket& bucket);
S3Result<Retention> parse_retention(std::string_view mode, std::string_view until, int64_t now_ms);

// NotImplemented for encryption that this server does not do; InvalidRequest for algorithms nobody has.
S3Result<void> check_encryption_headers(const Call& call);
void add_encryption_header(const Call& call, HttpHeaders& headers);

S3Result<WriteConditions> write_conditions(const Call& call);
// The read conditions of a request against an object: nothing, NotModified or PreconditionFailed. `prefix` is ""
// or "x-amz-copy-source-".
S3Result<void> check_read_conditions(const Call& call, const ObjectInfo& info, std::string_view prefix);

// Content-MD5 as 16 raw bytes; empty: not given. InvalidDigest.
S3Result<std::string> announced_md5(const Call& call);
// x-amz-checksum-type in capitals: FULL_OBJECT, COMPOSITE, or empty. InvalidRequest.
S3Result<std::string> checksum_type(const Call& call);
// The checksum that a request announces as header: algorithm and value, or algorithm alone.
S3Result<Checksum> announced_checksum(const Call& call);
void add_checksum_headers(const Checksum& checksum, HttpHeaders& headers);

// Headers of GET and HEAD.
void add_object_headers(const Call& call, const ObjectInfo& info, HttpHeaders& headers);
void add_version_header(const ObjectInfo& info, const Bucket& bucket, HttpHeaders& headers);

struct ByteRange {
  uint64_t first = 0;
  uint64_t size = 0;
  bool partial = false;
};
// "bytes=..." against an object's size; an unintelligible header is ignored, as S3 does. InvalidRange.
S3Result<ByteRange> parse_range(std::string_view header, uint64_t object_bytes);

S3Result<uint32_t> parse_part_number(const Call& call);  // of the query
S3Result<uint64_t> parse_number(const std::string& text, std::string_view name, uint64_t min, uint64_t max);
HttpResponse xml_response(std::string body, unsigned status = 200);
bool bypass_governance(const Call& call);
bool valid_utf8(std::string_view text);
std::string quoted(const std::string& etag);

}  // namespace holdfast::s3
