// MD5 in lanes: every kernel against OpenSSL, alone and from many threads at once.
#include <gtest/gtest.h>

#include <cmath>

#include <random>
#include <thread>

#include "storage/base/digest.h"
#include "storage/base/md5_batch.h"
#include "storage/base/md5_lanes.h"

namespace holdfast {
namespace {

std::string random_bytes(std::mt19937_64& engine, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(engine());
  return bytes;
}

std::string expected(std::string_view bytes) { return hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(bytes)))); }

std::string md5(Md5Lanes* lanes, std::string_view bytes) {
  LaneMd5 digest(lanes);
  digest.begin(as_bytes(bytes));
  return hex(as_bytes(digest.finish()));
}

// In pieces of random sizes.
std::string md5_in_pieces(Md5Lanes* lanes, std::mt19937_64& engine, std::string_view bytes) {
  LaneMd5 digest(lanes);
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), engine() % 3 == 0 ? engine() % 70 : engine() % 300'000);
    digest.begin(as_bytes(bytes.substr(0, n)));
    if (engine() % 2 == 0) std::this_thread::yield();  // what it does else
    if (engine() % 2 == 0) digest.wait(engine() % 4);
    bytes.remove_prefix(n);
  }
  return hex(as_bytes(digest.finish()));
}

TEST(Md5, TheTextsOfRfc1321) {
  Md5Lanes lanes;
  for (Md5Lanes* by : {static_cast<Md5Lanes*>(nullptr), &lanes}) {
    EXPECT_EQ("d41d8cd98f00b204e9800998ecf8427e", md5(by, ""));
    EXPECT_EQ("900150983cd24fb0d6963f7d28e17f72", md5(by, "abc"));
    EXPECT_EQ("f96b697d7cb7938d525a2f31aaf161d0", md5(by, "message digest"));
    EXPECT_EQ("57edf4a22be3c955ac49da2e2107b67a", md5(by, "12345678901234567890123456789012345678901234567890123456789012345678901234567890"));
  }
}

TEST(Md5, EverySizeAroundTheBlocks) {
  std::mt19937_64 engine(1);
  const std::string bytes = random_bytes(engine, 300);
  for (size_t n = 0; n <= bytes.size(); ++n) EXPECT_EQ(expected(bytes.substr(0, n)), md5(nullptr, bytes.substr(0, n))) << n;
}

TEST(Md5, ConstantsAreThoseOfTheSine) {
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(static_cast<uint32_t>(std::floor(4294967296.0 * std::fabs(std::sin(static_cast<double>(i + 1))))), kMd5Constants[i]) << i;
}

class Md5Kernels : public testing::TestWithParam<CpuLevel> {};

// Each lane has a stream of its own, begun at another place.
TEST_P(Md5Kernels, AreTheScalarOneForEachOfTheirStreams) {
  if (cpu_level() < GetParam()) GTEST_SKIP() << "this processor has not got these instructions";
  for (const Md5LaneKernel& kernel : md5_lane_kernels(GetParam())) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      SCOPED_TRACE(std::to_string(kernel.lanes) + " lanes, seed " + std::to_string(seed));
      std::mt19937_64 engine(seed);
      const size_t count = 1 + engine() % 20;
      std::vector<std::string> bytes(kernel.lanes);
      std::vector<Md5State> states(kernel.lanes), wanted(kernel.lanes);
      std::vector<const std::byte*> blocks(kernel.lanes);
      for (size_t i = 0; i < kernel.lanes; ++i) {
        const size_t skew = engine() % 64;  // blocks need not be aligned
        bytes[i] = random_bytes(engine, skew + count * kMd5BlockBytes);
        for (uint32_t& w : states[i].words) w = static_cast<uint32_t>(engine());
        wanted[i] = states[i];
        blocks[i] = as_bytes(bytes[i]).data() + skew;
        md5_blocks(wanted[i], blocks[i], count);
      }
      kernel.run(states.data(), blocks.data(), count);
      for (size_t i = 0; i < kernel.lanes; ++i) EXPECT_EQ(wanted[i].words, states[i].words) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Md5Kernels, testing::Values(CpuLevel::kAvx2, CpuLevel::kAvx512));

TEST(Md5, TheLevelSaysWhichKernels) {
  EXPECT_TRUE(md5_lane_kernels(CpuLevel::kBaseline).empty());
  for (const CpuLevel level : {CpuLevel::kAvx2, CpuLevel::kAvx512}) {
    size_t narrower = 0;
    for (const Md5LaneKernel& k : md5_lane_kernels(level)) {
      EXPECT_LT(narrower, k.lanes);
      EXPECT_LE(k.lanes, kMd5MostLanes);
      narrower = k.lanes;
    }
  }
  limit_cpu(CpuLevel::kBaseline);
  EXPECT_TRUE(md5_lane_kernels().empty());
  limit_cpu(CpuLevel::kAvx512);
}

class Md5OfEach : public testing::TestWithParam<CpuLevel> {};

TEST_P(Md5OfEach, IsThatOfEachBody) {
  if (cpu_level() < GetParam()) GTEST_SKIP() << "this processor has not got these instructions";
  const auto kernels = md5_lane_kernels(GetParam());
  EXPECT_TRUE(md5_of_each({}, kernels).empty());
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 60; ++seed) {
    std::mt19937_64 engine(seed);
    std::vector<std::string> texts(1 + engine() % 40);
    for (std::string& text : texts) text = random_bytes(engine, engine() % 3 == 0 ? engine() % 200 : engine() % 20'000);
    std::vector<ByteSpan> bodies;
    for (const std::string& text : texts) bodies.push_back(as_bytes(text));
    const auto values = md5_of_each(bodies, kernels);
    ASSERT_EQ(texts.size(), values.size());
    for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(expected(texts[i]), hex(values[i])) << "seed " << seed << ", body " << i << " of " << texts[i].size() << " bytes";
  }
}

TEST_P(Md5OfEach, EverySizeAroundTheBlocks) {
  if (cpu_level() < GetParam()) GTEST_SKIP() << "this processor has not got these instructions";
  std::mt19937_64 engine(2);
  const std::string bytes = random_bytes(engine, 300);
  std::vector<ByteSpan> bodies;
  for (size_t n = 0; n <= bytes.size(); ++n) bodies.push_back(as_bytes(bytes).first(n));
  const auto values = md5_of_each(bodies, md5_lane_kernels(GetParam()));
  for (size_t n = 0; n <= bytes.size(); ++n) EXPECT_EQ(expected(bytes.substr(0, n)), hex(values[n])) << n;
}

INSTANTIATE_TEST_SUITE_P(Levels, Md5OfEach, testing::Values(CpuLevel::kBaseline, CpuLevel::kAvx2, CpuLevel::kAvx512));

class Md5FromManyThreads : public testing::TestWithParam<std::tuple<CpuLevel, unsigned, unsigned>> {};

TEST_P(Md5FromManyThreads, IsThatOfEachStream) {
  const auto [level, leaders, threads] = GetParam();
  if (cpu_level() < level) GTEST_SKIP() << "this processor has not got these instructions";
  Md5Lanes lanes(md5_lane_kernels(level), leaders);
  const uint64_t first = std::random_device()();
  SCOPED_TRACE("first seed " + std::to_string(first));
  std::vector<std::string> wrong(threads);
  {
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        std::mt19937_64 engine(first + t);
        for (int i = 0; i < 30; ++i) {
          const std::string bytes = random_bytes(engine, engine() % 2 == 0 ? engine() % 1'000 : engine() % 400'000);
          if (md5_in_pieces(&lanes, engine, bytes) != expected(bytes)) wrong[t] = std::to_string(bytes.size()) + " bytes";
        }
      });
    }
  }
  for (const std::string& w : wrong) EXPECT_EQ("", w);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Md5FromManyThreads,
                         testing::Values(std::tuple(CpuLevel::kBaseline, 1U, 4U), std::tuple(CpuLevel::kAvx2, 1U, 1U), std::tuple(CpuLevel::kAvx2, 1U, 3U), std::tuple(CpuLevel::kAvx2, 1U, 12U), std::tuple(CpuLevel::kAvx2, 2U, 20U),
                                         std::tuple(CpuLevel::kAvx512, 1U, 2U), std::tuple(CpuLevel::kAvx512, 1U, 12U), std::tuple(CpuLevel::kAvx512, 1U, 24U), std::tuple(CpuLevel::kAvx512, 2U, 40U)));

}  // namespace
}  // namespace holdfast
