// Encodings, digests and checksums against known answers.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "storage/base/bytes.h"
#include "storage/base/checksum.h"
#include "storage/base/checksum_algorithm.h"
#include "storage/base/crc_combine.h"
#include "storage/base/cpu.h"
#include "storage/base/digest.h"
#include "storage/base/paced_file.h"
#include "storage/crypto/key_file.h"
#include "storage/sql/database.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

TEST(Checksum, KnownAnswers) {
  const ByteSpan check = as_bytes("123456789");  // the catalogue's check string
  EXPECT_EQ(crc32(check), 0xcbf43926u);
  EXPECT_EQ(crc32c(check), 0xe3069283u);
  EXPECT_EQ(crc64nvme(check), 0xae8b14860a799888u);
}

TEST(Checksum, ChainsAndCombines) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i) {
    const std::string a = random_text(random(), random() % 5000), b = random_text(random(), random() % 5000);
    const std::string ab = a + b;
    EXPECT_EQ(crc32c(as_bytes(b), crc32c(as_bytes(a))), crc32c(as_bytes(ab)));
    EXPECT_EQ(crc64nvme(as_bytes(b), crc64nvme(as_bytes(a))), crc64nvme(as_bytes(ab)));
    EXPECT_EQ(combine_crc(CrcKind::kCrc32, crc32(as_bytes(a)), crc32(as_bytes(b)), b.size()), crc32(as_bytes(ab)));
    EXPECT_EQ(combine_crc(CrcKind::kCrc32c, crc32c(as_bytes(a)), crc32c(as_bytes(b)), b.size()), crc32c(as_bytes(ab)));
    EXPECT_EQ(combine_crc(CrcKind::kCrc64Nvme, crc64nvme(as_bytes(a)), crc64nvme(as_bytes(b)), b.size()), crc64nvme(as_bytes(ab)));
  }
}

// Bit by bit, as the polynomial is written down.
uint64_t crc64nvme_plain(ByteSpan bytes, uint64_t before) {
  uint64_t c = ~before;
  for (std::byte b : bytes) {
    c ^= static_cast<uint64_t>(b);
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ 0x9a6c9329ac4bc9b5 : c >> 1;
  }
  return ~c;
}

TEST(Checksum, Crc64OfEveryLengthAndAlignment) {
  const std::string text = random_text(7, 1'500);
  for (const CpuLevel level : {CpuLevel::kBaseline, CpuLevel::kAvx512}) {
    limit_cpu(level);
    for (size_t from = 0; from < 17; ++from) {
      for (size_t n = 0; n + from <= text.size(); n += n < 700 ? 1 : 37) {
        const ByteSpan bytes = as_bytes(text).subspan(from, n);
        const uint64_t before = n % 2 == 0 ? 0 : 0x123456789abcdef;
        ASSERT_EQ(crc64nvme(bytes, before), crc64nvme_plain(bytes, before)) << "from " << from << ", " << n << " bytes";
      }
    }
  }
}

// The values are those of the specifications' authors: FIPS 180-4 and RFC 1321 for "abc", xxHash's own test program
// for the empty input.
TEST(Checksum, RunningKnownAnswers) {
  const auto of = [](ChecksumAlgorithm a, std::string_view text) {
    RunningChecksum sum(a);
    for (const char& c : text) sum.update(as_bytes(std::string_view(&c, 1)));
    const std::string raw = sum.finish();
    EXPECT_EQ(raw.size(), checksum_bytes(a));
    return hex(as_bytes(raw));
  };
  EXPECT_EQ(of(ChecksumAlgorithm::kSha512, "abc").substr(0, 32), "ddaf35a193617abacc417349ae204131");
  EXPECT_EQ(of(ChecksumAlgorithm::kMd5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(of(ChecksumAlgorithm::kXxhash64, ""), "ef46db3751d8e999");
  EXPECT_EQ(of(ChecksumAlgorithm::kXxhash3, ""), "2d06800538d394c2");
  EXPECT_EQ(of(ChecksumAlgorithm::kXxhash128, ""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(of(ChecksumAlgorithm::kCrc32, "123456789"), "cbf43926");
  EXPECT_EQ(of(ChecksumAlgorithm::kCrc64Nvme, "123456789"), "ae8b14860a799888");
}

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes("abc")))), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // RFC 4231, test cases 1, 6 and 7: short keys, and such as are longer than a block
  EXPECT_EQ(hex(as_bytes(hmac_sha256(std::string(20, '\x0b'), "Hi There"))), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(as_bytes(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"))), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(as_bytes(hmac_sha256(std::string(131, '\xaa'), "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."))),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
  EXPECT_EQ(hex(as_bytes(hmac_sha256("key", "The quick brown fox jumps over the lazy dog"))),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

TEST(Encoding, HexAndBase64AreStrict) {
  EXPECT_EQ(hex(*from_hex("00ffA5")), "00ffa5");
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
  EXPECT_EQ(as_text(*from_base64("aGVsbG8=")), "hello");
  for (const char* bad : {"aGVsbG8", "aGVsbG8!", "a=Vs", "====", "aGVs bG8"}) EXPECT_FALSE(from_base64(bad)) << bad;
  EXPECT_EQ(base64(as_bytes("")), "");
}

TEST(ByteReader, RefusesCountsThatCannotFit) {
  ByteWriter w;
  w.u32(0xffffffff);
  ByteReader r(w.bytes());
  EXPECT_EQ(r.count(1), 0u);
  EXPECT_FALSE(r.ok());
}

TEST(RecoveryKey, RoundTripsAndFindsTypos) {
  SeededRandom random(5);
  for (int i = 0; i < 50; ++i) {
    const SecretKey key = SecretKey::random(random);
    std::string text = recovery_key_text(key);
    auto back = parse_recovery_key(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(hex(back->bytes()), hex(key.bytes()));
    for (char& c : text) c = static_cast<char>(std::tolower(c));
    EXPECT_TRUE(parse_recovery_key(text));
    text[8] = text[8] == '3' ? '4' : '3';
    const auto typo = parse_recovery_key(text);
    ASSERT_FALSE(typo);
    EXPECT_NE(typo.error().message().find("group 2"), std::string::npos) << typo.error().message();
  }
}

TEST(KeyFile, IsPrivateAndNeverOverwritten) {
  TempDir dir;
  SystemRandom random;
  auto made = create_key_file(dir.path("k"), random);
  ASSERT_TRUE(made);
  EXPECT_EQ(create_key_file(dir.path("k"), random).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(hex(load_key_file(dir.path("k"))->bytes()), hex(made->bytes()));
  std::filesystem::permissions(dir.path("k"), std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  EXPECT_EQ(load_key_file(dir.path("k")).error().code(), Code::kPermissionDenied);
}

TEST(PacedFile, GoesOnWhileTheFileGrowsAndUntilAskedToStop) {
  TempDir dir(std::filesystem::current_path());
  const std::string path = dir.path("file");
  std::stop_source stop;
  PacedFile pace(path, stop.get_token());
  EXPECT_TRUE(pace.step()) << "not there yet";
  std::ofstream out(path);
  for (int i = 0; i < 3; ++i) {
    out << std::string(PacedFile::kStepBytes + 1, 'x') << std::flush;
    EXPECT_TRUE(pace.step());
  }
  stop.request_stop();
  EXPECT_FALSE(pace.step());
}

TEST(Database, AStatementEndsWhenItsProgressIsRefused) {
  TempDir dir;
  auto db = Database::open(dir.path("db"), Database::Mode::kReadWrite);
  ASSERT_TRUE(db) << db.error().to_string();
  const char* kLong = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT SUM(i) FROM n";
  int asked = 0;
  (*db)->on_progress([&asked] { return ++asked < 3; });
  const auto ended = (*db)->prepare(kLong).step();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), Code::kUnavailable) << ended.error().to_string();
  EXPECT_EQ(asked, 3);
  (*db)->on_progress({});
  Statement& again = (*db)->prepare(kLong);
  ASSERT_EQ(*again.step(), true);
  EXPECT_EQ(again.integer(0), 5'000'050'000);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace holdfast::test
