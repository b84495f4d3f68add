// The gateway's pure parts: routing, signatures, chunked bodies, ranges, dates.
#include <gtest/gtest.h>

#include "s3gw/auth/chunked_body.h"
#include "s3gw/auth/policy.h"
#include "s3gw/handlers/request_parts.h"
#include "s3gw/handlers/tagging.h"
#include "storage/base/times.h"
#include "storage/net/sigv4.h"

namespace holdfast::s3 {
namespace {

// The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
TEST(SigV4, DocumentedExample) {
  CanonicalRequest r;
  r.method = "GET";
  r.path = "/test.txt";
  r.payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  r.headers = {{"host", "examplebucket.s3.amazonaws.com"}, {"range", "bytes=0-9"},
               {"x-amz-content-sha256", r.payload_hash}, {"x-amz-date", "20130524T000000Z"}};
  const SigningScope scope{"20130524", "us-east-1", "s3"};
  EXPECT_EQ(request_signature(r, "20130524T000000Z", scope, signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", scope)),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

HttpRequest request(const std::string& method, const std::string& target) {
  HttpRequest r;
  r.method = method;
  r.target = target;
  return r;
}

std::string routed(const std::string& method, const std::string& target) {
  const HttpRequest r = request(method, target);
  const auto query = Query::parse(r.query());
  const auto where = parse_target(r, {"s3.example"});
  if (!query || !where) return "InvalidURI";
  const auto operation = route(r, *where, *query);
  return operation ? std::string(operation_name(*operation)) : operation.error().code;
}

TEST(Route, KnowsOperationsAndRefusesWhatItHasNot) {
  EXPECT_EQ(routed("GET", "/"), "ListBuckets");
  EXPECT_EQ(routed("GET", "/b"), "ListObjects");
  EXPECT_EQ(routed("GET", "/b/?list-type=2"), "ListObjectsV2");
  EXPECT_EQ(routed("GET", "/b?versions"), "ListObjectVersions");
  EXPECT_EQ(routed("PUT", "/b/k?partNumber=1&uploadId=u"), "UploadPart");
  EXPECT_EQ(routed("POST", "/b/k?uploads"), "CreateMultipartUpload");
  EXPECT_EQ(routed("GET", "/b/k?x-id=GetObject"), "GetObject");
  EXPECT_EQ(routed("PUT", "/b?replication"), "NotImplemented");
  EXPECT_EQ(routed("PUT", "/b?policy"), "NotImplemented");
  EXPECT_EQ(routed("PUT", "/b/k?acl"), "NotImplemented");
  EXPECT_EQ(routed("PATCH", "/b/k"), "MethodNotAllowed");
  EXPECT_EQ(routed("GET", "/b/%zz"), "InvalidURI");
}

TEST(Target, KeepsKeysAsTheyAre) {
  EXPECT_EQ(parse_target(request("GET", "/b//a/../.%2F/"), {})->key, "/a/.././/");
  HttpRequest r = request("GET", "/k/x");
  r.headers.add("host", "bucket.s3.example:9000");
  EXPECT_EQ(parse_target(r, {"s3.example"})->bucket, "bucket");
  EXPECT_EQ(parse_target(r, {"s3.example"})->key, "k/x");
  EXPECT_EQ(parse_target(r, {"other"})->bucket, "k");
}

TEST(Range, AsS3Answers) {
  const auto range = [](const char* text, uint64_t size) { return parse_range(text, size); };
  EXPECT_EQ(range("bytes=0-9", 100)->size, 10u);
  EXPECT_EQ(range("bytes=90-200", 100)->size, 10u);
  EXPECT_EQ(range("bytes=-5", 100)->first, 95u);
  EXPECT_EQ(range("bytes=5-", 100)->size, 95u);
  EXPECT_EQ(range("bytes=100-", 100).error().code, "InvalidRange");
  EXPECT_EQ(range("bytes=-0", 100).error().code, "InvalidRange");
  for (const char* ignored : {"bytes=9-5", "items=0-1", "bytes=a-b", "bytes=0-1,3-4", "bytes="}) {
    EXPECT_FALSE(range(ignored, 100)->partial) << ignored;
  }
}

TEST(Times, ParseWhatTheyPrint) {
  const int64_t ms = 1767323045678;
  EXPECT_EQ(iso8601(ms), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(http_date(ms), "Fri, 02 Jan 2026 03:04:05 GMT");
  EXPECT_EQ(parse_iso8601(iso8601(ms)), ms);
  EXPECT_EQ(parse_iso8601("2026-01-02T04:04:05+01:00"), 1767323045000);
  EXPECT_EQ(parse_http_date(http_date(ms)), 1767323045000);
  EXPECT_EQ(parse_http_date("Friday, 02-Jan-26 03:04:05 GMT"), 1767323045000);
  EXPECT_FALSE(parse_http_date("yesterday"));
  EXPECT_FALSE(parse_http_date(""));
}

TEST(VersionId, RoundTripsAndRefusesForgeries) {
  const std::string id = version_id(77, false);
  EXPECT_EQ(parse_version_id(id)->seq, 77u);
  EXPECT_TRUE(parse_version_id("null")->null_version);
  std::string forged = id;
  forged[15] = forged[15] == '0' ? '1' : '0';
  EXPECT_EQ(parse_version_id(forged).error().code, "NoSuchVersion");
  EXPECT_EQ(parse_version_id("x").error().code, "InvalidArgument");
}

Authenticated chunk_auth(Payload payload) {
  // The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
  Authenticated a;
  a.payload = payload;
  a.timestamp = "20130524T000000Z";
  a.scope = "20130524/us-east-1/s3/aws4_request";
  a.signing_key = signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {"20130524", "us-east-1", "s3"});
  a.seed_signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
  return a;
}

std::string documented_chunks() {
  return "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + std::string(65536, 'a') +
         "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + std::string(1024, 'a') +
         "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
}

S3Result<size_t> decode(const Authenticated& auth, std::string_view body, size_t step) {
  ChunkedBody chunks(auth);
  size_t plain = 0;
  for (size_t at = 0; at < body.size(); at += step) {
    HF_CHECK(chunks.feed(as_bytes(body.substr(at, step)), [&](ByteSpan bytes) -> S3Result<void> {
      plain += bytes.size();
      return {};
    }));
  }
  HF_CHECK(chunks.finish());
  return plain;
}

TEST(ChunkedBody, DocumentedExampleInPiecesOfAnySize) {
  const std::string body = documented_chunks();
  for (size_t step : {1ul, 7ul, 1000ul, body.size()}) {
    EXPECT_EQ(decode(chunk_auth(Payload::kSignedChunks), body, step).value_or(0), 66560u) << step;
  }
}

TEST(ChunkedBody, EveryChangeIsFound) {
  const std::string body = documented_chunks();
  for (size_t at : {0ul, 30ul, 100ul, 65600ul, body.find("400;") + 30, body.find("\r\n0;") + 30}) {
    std::string changed = body;
    changed[at] ^= 1;
    EXPECT_FALSE(decode(chunk_auth(Payload::kSignedChunks), changed, 4096)) << at;
  }
  EXPECT_EQ(decode(chunk_auth(Payload::kSignedChunks), body.substr(0, 66000), 4096).error().code, "IncompleteBody");
  // A chunk left out breaks the chain.
  const size_t second = body.find("400;");
  const std::string without = body.substr(second);
  EXPECT_EQ(decode(chunk_auth(Payload::kSignedChunks), without, 4096).error().code, "SignatureDoesNotMatch");
}

TEST(ChunkedBody, UnsignedWithTrailer) {
  Authenticated auth;
  auth.payload = Payload::kUnsignedChunksTrailer;
  ChunkedBody chunks(auth);
  std::string plain;
  const auto sink = [&](ByteSpan b) -> S3Result<void> {
    plain += as_text(b);
    return {};
  };
  ASSERT_TRUE(chunks.feed(as_bytes("5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==\r\n\r\n"), sink));
  ASSERT_TRUE(chunks.finish());
  EXPECT_EQ(plain, "hello");
  ASSERT_EQ(chunks.trailers().size(), 1u);
  EXPECT_EQ(chunks.trailers()[0].first, "x-amz-checksum-crc32");
  EXPECT_EQ(chunks.trailers()[0].second, "NhCmhg==");
  EXPECT_FALSE(decode(auth, "ffffffffffffffff\r\n", 100));
  EXPECT_FALSE(decode(auth, std::string(10'000, 'a'), 100));
}

TEST(Policy, RolesAndScopes) {
  User u;
  u.role = Role::kReadOnly;
  EXPECT_TRUE(authorize(u, Operation::kGetObject, "b", "k", ""));
  EXPECT_FALSE(authorize(u, Operation::kPutObject, "b", "k", ""));
  u.role = Role::kAppendOnly;
  EXPECT_TRUE(authorize(u, Operation::kPutObject, "b", "k", ""));
  EXPECT_FALSE(authorize(u, Operation::kDeleteObject, "b", "k", ""));
  u.role = Role::kReadWrite;
  u.scopes = {"b/p/"};
  EXPECT_TRUE(authorize(u, Operation::kDeleteObject, "b", "p/k", ""));
  EXPECT_FALSE(authorize(u, Operation::kDeleteObject, "b", "q", ""));
  EXPECT_FALSE(authorize(u, Operation::kGetObject, "c", "p/k", ""));
  EXPECT_TRUE(authorize(u, Operation::kListObjectsV2, "b", "", "p/x"));
  EXPECT_FALSE(authorize(u, Operation::kListObjectsV2, "b", "", "p"));
  EXPECT_FALSE(authorize(u, Operation::kDeleteBucket, "b", "", ""));
  EXPECT_FALSE(authorize(u, Operation::kPutBucketVersioning, "b", "", ""));
  EXPECT_TRUE(may_see_bucket(u, "b"));
  EXPECT_FALSE(may_see_bucket(u, "c"));
}

TEST(Tagging, Limits) {
  EXPECT_EQ(parse_tagging_header("a=1&b=2")->size(), 2u);
  EXPECT_EQ(parse_tagging_header("a=1&a=2").error().code, "InvalidArgument");
  EXPECT_EQ(parse_tagging_header("a&b&c&d&e&f&g&h&i&j&k").error().code, "BadRequest");
  EXPECT_EQ(parse_tagging_document("<Tagging/>", 10).error().code, "MalformedXML");
  EXPECT_EQ(parse_tagging_document("<!DOCTYPE x><Tagging><TagSet/></Tagging>", 10).error().code, "MalformedXML");
}

TEST(Utf8, StrictlyChecked) {
  EXPECT_TRUE(valid_utf8("äöü€😀"));
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) EXPECT_FALSE(valid_utf8(bad));
}

}  // namespace
}  // namespace holdfast::s3
