// AES-256-GCM by both of its implementations: known answers, each against the other, and whatever was touched refused.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "storage/base/cpu.h"
#include "storage/crypto/aead.h"
#include "storage/crypto/gcm_wide.h"

namespace holdfast {
namespace {

// Until its end only what every processor has.
class Baseline {
 public:
  Baseline() { limit_cpu(CpuLevel::kBaseline); }
  ~Baseline() { limit_cpu(CpuLevel::kAvx512); }
};

using Tag = std::array<std::byte, kTagBytes>;

Bytes random_bytes(std::mt19937_64& engine, size_t size) {
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(engine());
  return bytes;
}

SecretKey random_key(std::mt19937_64& engine) { return *SecretKey::from_bytes(random_bytes(engine, SecretKey::kBytes)); }

Nonce random_nonce(std::mt19937_64& engine) {
  Nonce nonce;
  for (std::byte& b : nonce) b = static_cast<std::byte>(engine());
  return nonce;
}

struct KnownAnswer {
  std::string key, nonce, aad, plain, cipher, tag;
};

// Test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
const std::string kKey16 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", kNonce16 = "cafebabefacedbaddecaf888";
const std::string kPlain16 = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
const std::string kCipher16 = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662";
const KnownAnswer kKnown[] = {
    {std::string(64, '0'), std::string(24, '0'), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {std::string(64, '0'), std::string(24, '0'), "", std::string(32, '0'), "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {kKey16, kNonce16, "", kPlain16 + "1aafd255", kCipher16 + "898015ad", "b094dac5d93471bdec1a502270e3cc6c"},
    {kKey16, kNonce16, "feedfacedeadbeeffeedfacedeadbeefabaddad2", kPlain16, kCipher16, "76fc6ece0f4e1768cddf8853bb2d551b"},
};

void expect_known_answers() {
  for (const KnownAnswer& k : kKnown) {
    const SecretKey key = *SecretKey::from_bytes(*from_hex(k.key));
    Nonce nonce;
    const Bytes raw_nonce = *from_hex(k.nonce), aad = *from_hex(k.aad), plain = *from_hex(k.plain);
    std::copy(raw_nonce.begin(), raw_nonce.end(), nonce.begin());
    Bytes cipher(plain.size()), back(plain.size());
    Tag tag;
    aead_seal(key, nonce, aad, plain, cipher, tag);
    EXPECT_EQ(k.cipher, hex(cipher));
    EXPECT_EQ(k.tag, hex(tag));
    ASSERT_TRUE(aead_open(key, nonce, aad, cipher, tag, back));
    EXPECT_EQ(plain, back);
  }
}

TEST(Aead, KnownAnswers) {
  expect_known_answers();
  const Baseline baseline;
  expect_known_answers();
}

// What one has sealed the other opens; of any size, in place or not, with any length of what is only checked.
TEST(Aead, BothImplementationsAreOne) {
  if (!has_wide_gcm()) GTEST_SKIP() << "this processor has no VAES";
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 engine(seed);
  for (size_t i = 0; i < 1'500; ++i) {
    const size_t size = i < 600 ? i : engine() % 200'000;
    const SecretKey key = random_key(engine);
    const Nonce nonce = random_nonce(engine);
    const Bytes aad = random_bytes(engine, engine() % 80), plain = random_bytes(engine, size);
    Bytes wide(size), narrow = plain;
    Tag wide_tag, narrow_tag;
    aead_seal(key, nonce, aad, plain, wide, wide_tag);
    {
      const Baseline baseline;
      aead_seal(key, nonce, aad, narrow, narrow, narrow_tag);
    }
    ASSERT_EQ(narrow, wide) << size;
    ASSERT_EQ(narrow_tag, wide_tag) << size;
    ASSERT_TRUE(aead_open(key, nonce, aad, wide, wide_tag, wide));
    ASSERT_EQ(plain, wide);
    const Baseline baseline;
    ASSERT_TRUE(aead_open(key, nonce, aad, narrow, narrow_tag, narrow));
    ASSERT_EQ(plain, narrow);
  }
}

// One bit, anywhere.
void expect_touched_is_refused(std::mt19937_64& engine) {
  for (int i = 0; i < 300; ++i) {
    const SecretKey key = random_key(engine);
    const Nonce nonce = random_nonce(engine);
    Bytes aad = random_bytes(engine, 1 + engine() % 40), cipher(1 + engine() % 5'000), back(cipher.size());
    const Bytes plain = random_bytes(engine, cipher.size());
    Tag tag;
    aead_seal(key, nonce, aad, plain, cipher, tag);
    Nonce other_nonce = nonce;
    Bytes other_key(key.bytes().begin(), key.bytes().end());
    const MutableByteSpan places[] = {aad, cipher, tag, other_nonce, other_key};
    const size_t which = engine() % std::size(places);
    places[which][engine() % places[which].size()] ^= static_cast<std::byte>(1 << engine() % 8);
    EXPECT_FALSE(aead_open(*SecretKey::from_bytes(other_key), other_nonce, aad, cipher, tag, back)) << which;
  }
}

TEST(Aead, WhatWasTouchedIsRefused) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 engine(seed);
  expect_touched_is_refused(engine);
  const Baseline baseline;
  expect_touched_is_refused(engine);
}

// Each thread has expanded keys of its own, and changes between two.
TEST(Aead, ManyThreadsWithKeysInTurn) {
  std::vector<std::string> wrong(8);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < wrong.size(); ++t) {
      threads.emplace_back([&wrong, t] {
        std::mt19937_64 engine(t);
        const SecretKey keys[] = {random_key(engine), random_key(engine)};
        for (uint64_t i = 0; i < 500; ++i) {
          const SecretKey& key = keys[engine() % 2];
          const Bytes plain = random_bytes(engine, engine() % 3'000);
          Bytes cipher(plain.size()), back(plain.size());
          Tag tag;
          aead_seal(key, counter_nonce(i), {}, plain, cipher, tag);
          if (!aead_open(key, counter_nonce(i), {}, cipher, tag, back) || back != plain) wrong[t] = "round " + std::to_string(i);
        }
      });
    }
  }
  for (const std::string& w : wrong) EXPECT_EQ("", w);
}

TEST(Cpu, LevelsHaveNames) {
  EXPECT_EQ(CpuLevel::kBaseline, parse_cpu_level("baseline").value());
  EXPECT_EQ(CpuLevel::kAvx2, parse_cpu_level("avx2").value());
  EXPECT_EQ(CpuLevel::kAvx512, parse_cpu_level("avx512").value());
  EXPECT_EQ("\"fast\" is no level of processor: baseline, avx2 or avx512", parse_cpu_level("fast").error().message());
}

}  // namespace
}  // namespace holdfast
