// One suite over every kind of device. HOLDFAST_DEVICES names those to use besides a file of its own, separated by
// spaces; all that is on them is lost. tests/e2e/devices_test.py starts it with a loop device and an iSCSI LUN.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "storage/device/file_device.h"
#include "storage/device/open_device.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

constexpr uint64_t kBytes = 64 << 20;

DeviceOptions options() {
  DeviceOptions o;
  o.host_key = 0x7e57;
  o.header_digest = true;
  o.request_deadline_s = 10;
  if (const char* user = std::getenv("HOLDFAST_CHAP_USER")) o.chap_user = user;
  if (const char* file = std::getenv("HOLDFAST_CHAP_SECRET_FILE")) std::getline(std::ifstream(file) >> std::ws, o.chap_secret);
  return o;
}

std::vector<std::string> names() {
  std::vector<std::string> all = {"file"};
  if (const char* list = std::getenv("HOLDFAST_DEVICES")) {
    std::istringstream words(list);
    for (std::string word; words >> word;) all.push_back(word);
  }
  return all;
}

AlignedBuffer pattern(uint64_t seed, size_t size) {
  AlignedBuffer buffer(size);
  const std::string text = random_text(seed, size);
  std::memcpy(buffer.data(), text.data(), size);
  return buffer;
}

class DeviceConformance : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { open(); }

  void open() {
    device_.reset();
    if (GetParam() == "file") {
      const std::string path = dir_.path("device");
      FileDeviceOptions o;
      o.create = !std::filesystem::exists(path);
      o.create_size_bytes = kBytes;
      auto opened = open_file_device(path, o);
      ASSERT_TRUE(opened) << opened.error().to_string();
      device_ = std::move(*opened);
      name_ = path;
    } else {
      auto opened = open_device(GetParam(), options());
      ASSERT_TRUE(opened) << opened.error().to_string();
      device_ = std::move(*opened);
      name_ = GetParam();
    }
    ASSERT_GE(device_->info().size_bytes, kBytes);
  }

  std::string read_text(uint64_t offset, size_t size) {
    AlignedBuffer out(size);
    const auto read = device_->read(offset, out.span());
    EXPECT_TRUE(read) << read.error().to_string();
    return std::string(as_text(out.span()));
  }

  TempDir dir_;
  std::string name_;
  std::unique_ptr<BlockDevice> device_;
};

TEST_P(DeviceConformance, SaysWhatItIs) {
  const DeviceInfo& info = device_->info();
  EXPECT_GE(info.block_bytes, 4096u);
  EXPECT_EQ(info.block_bytes & (info.block_bytes - 1), 0u);
  EXPECT_FALSE(info.identity.empty());
  EXPECT_EQ(info.name.find("secret"), std::string::npos);
  EXPECT_TRUE(device_->held());
}

TEST_P(DeviceConformance, IdentityIsTheSameAtEveryOpening) {
  const std::string before = device_->info().identity;
  open();
  EXPECT_EQ(device_->info().identity, before);
}

TEST_P(DeviceConformance, KeepsWhatWasFlushedOverReopening) {
  const size_t block = device_->info().block_bytes;
  const AlignedBuffer one = pattern(1, block), two = pattern(2, 16 * block);
  ASSERT_TRUE(device_->write(8 * block, one.span()));
  ASSERT_TRUE(device_->write(kBytes - 16 * block, two.span()));
  ASSERT_TRUE(device_->flush());
  open();
  EXPECT_EQ(read_text(8 * block, block), as_text(one.span()));
  EXPECT_EQ(read_text(kBytes - 16 * block, 16 * block), as_text(two.span()));
  EXPECT_EQ(read_text(8 * block + 512, 1024), as_text(one.span()).substr(512, 1024));
}

TEST_P(DeviceConformance, LargeTransfersAndAnyMemoryAlignment) {
  constexpr size_t kSize = 9 << 20;
  const AlignedBuffer data = pattern(3, kSize);
  Bytes shifted(kSize + 1);
  std::memcpy(shifted.data() + 1, data.data(), kSize);
  ASSERT_TRUE(device_->write(1 << 20, ByteSpan(shifted).subspan(1)));
  Bytes out(kSize + 3);
  const auto read = device_->read(1 << 20, MutableByteSpan(out).subspan(3));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(std::memcmp(out.data() + 3, data.data(), kSize), 0);
}

TEST_P(DeviceConformance, ManyThreadsAtOnce) {
  const size_t block = device_->info().block_bytes;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 40; ++i) {
        const uint64_t at = (1024 + t * 64 + i) * block;
        const AlignedBuffer data = pattern(t * 1000 + i, block);
        ASSERT_TRUE(device_->write(at, data.span()));
        AlignedBuffer back(block);
        ASSERT_TRUE(device_->read(at, back.span()));
        ASSERT_EQ(std::memcmp(back.data(), data.data(), block), 0);
        if (i % 16 != 0) continue;
        ASSERT_TRUE(device_->flush());
      }
    });
  }
  for (auto& t : threads) t.join();
}

TEST_P(DeviceConformance, DiscardSparesWhatLiesBesideIt) {
  const size_t block = device_->info().block_bytes;
  const AlignedBuffer data = pattern(4, 3 * (1 << 20));
  ASSERT_TRUE(device_->write(32 << 20, data.span()));
  ASSERT_TRUE(device_->flush());
  ASSERT_TRUE(device_->discard((32 << 20) + (1 << 20), 1 << 20));
  EXPECT_EQ(read_text(32 << 20, 1 << 20), as_text(data.span()).substr(0, 1 << 20));
  EXPECT_EQ(read_text((32 << 20) + (2 << 20), 1 << 20), as_text(data.span()).substr(2 << 20));
  const AlignedBuffer again = pattern(5, block);
  ASSERT_TRUE(device_->write((32 << 20) + (1 << 20), again.span()));
  EXPECT_EQ(read_text((32 << 20) + (1 << 20), block), as_text(again.span()));
}

TEST_P(DeviceConformance, BeyondTheEndIsAnError) {
  const size_t block = device_->info().block_bytes;
  AlignedBuffer one(block);
  const uint64_t end = device_->info().size_bytes / block * block;
  EXPECT_FALSE(device_->read(end, one.span()));
  EXPECT_FALSE(device_->write(end, one.span()));
  EXPECT_FALSE(device_->write(end - block, AlignedBuffer(2 * block).span()));
}

TEST_P(DeviceConformance, ASecondHolderIsRefused) {
  if (GetParam().starts_with("iscsi://")) GTEST_SKIP() << "one host key is one holder; see fencing_test.py";
  const auto second = open_file_device(name_, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kPermissionDenied);
}

// A store on it: what was acknowledged is there after reopening without the index.
TEST_P(DeviceConformance, CarriesAPool) {
  const std::string body = random_text(9, 3'000'000);
  StoreFixture f(StoreOptions{}, *device_);
  ASSERT_TRUE(f.open());
  f.make_bucket("b");
  ASSERT_TRUE(f.put("b", "small", "inline"));
  ASSERT_TRUE(f.put("b", "large", body));
  f.close();
  f.drop_index();
  ASSERT_TRUE(f.open());
  EXPECT_EQ(*f.get("b", "small"), "inline");
  EXPECT_EQ(*f.get("b", "large"), body);
}

INSTANTIATE_TEST_SUITE_P(Every, DeviceConformance, testing::ValuesIn(names()), [](const auto& info) {
  return info.param == "file" ? "file" : info.param.starts_with("iscsi://") ? "iscsi" : "block";
});

}  // namespace
}  // namespace holdfast::test
