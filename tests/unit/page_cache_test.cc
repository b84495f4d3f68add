// The kernel's page cache as a file device fills it; what is in it is asked of the kernel, by a mapping of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "storage/device/file_device.h"
#include "storage/device/page_cache_filler.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

constexpr uint64_t kStretch = PageCacheFiller::kStretchBytes, kPage = 4096;
constexpr uint64_t kSize = 16 * kStretch + kPage;  // the last stretch has one page

class PageCache : public testing::Test {
 protected:
  void SetUp() override {
    path_ = dir_.path("file");
    content_ = random_text(11, kSize);
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_GE(fd_, 0);
    ASSERT_EQ(::pwrite(fd_, content_.data(), kSize, 0), static_cast<ssize_t>(kSize));
    ASSERT_EQ(::fsync(fd_), 0);
    ASSERT_EQ(::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED), 0);
    map_ = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd_, 0);
    ASSERT_NE(map_, MAP_FAILED);
    if (pages_in(0, kSize) > 0) GTEST_SKIP() << "this file system keeps its files in memory";
  }
  void TearDown() override {
    ::munmap(map_, kSize);
    ::close(fd_);
  }

  uint64_t pages_in(uint64_t offset, uint64_t bytes) const {
    std::vector<unsigned char> pages((bytes + kPage - 1) / kPage);
    EXPECT_EQ(::mincore(static_cast<char*>(map_) + offset, bytes, pages.data()), 0);
    return static_cast<uint64_t>(std::ranges::count_if(pages, [](unsigned char p) { return (p & 1) != 0; }));
  }
  // What is read in behind the page that was waited for comes a little later.
  bool comes_in(uint64_t offset, uint64_t bytes) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (pages_in(offset, bytes) * kPage < bytes) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static uint64_t mapped_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      uint64_t kib = 0;
      if (word == "RssFile:" && status >> kib) return kib;
    }
    ADD_FAILURE() << "no RssFile";
    return 0;
  }

  TempDir dir_{std::filesystem::current_path()};  // on a disk
  std::string path_, content_;
  int fd_ = -1;
  void* map_ = nullptr;
};

TEST_F(PageCache, FillsWholeStretchesAboutARange) {
  const PageCacheFiller filler(fd_, kSize);
  filler.fill(3 * kStretch - kPage, 2 * kPage);
  EXPECT_TRUE(comes_in(2 * kStretch, 2 * kStretch));
  EXPECT_EQ(pages_in(0, 2 * kStretch), 0u) << "what lies before";
  EXPECT_EQ(pages_in(4 * kStretch, kSize - 4 * kStretch), 0u) << "what lies behind";
}

TEST_F(PageCache, FillsAboutPagesThatWereReadAlone) {
  const PageCacheFiller filler(fd_, kSize);
  char page[kPage];
  ASSERT_EQ(::pread(fd_, page, kPage, 5 * kStretch + 7 * kPage), static_cast<ssize_t>(kPage));
  filler.fill(5 * kStretch + 100 * kPage, kPage);
  EXPECT_TRUE(comes_in(5 * kStretch, kStretch));
}

TEST_F(PageCache, TheLastStretchAndWhatLiesPastIt) {
  const PageCacheFiller filler(fd_, kSize);
  filler.fill(kSize - kPage, 64 * kStretch);
  EXPECT_TRUE(comes_in(kSize - kPage, kPage));
  filler.fill(100 * kStretch, kStretch);
  filler.fill(0, 0);
  EXPECT_EQ(pages_in(0, kSize - kPage), 0u);
  EXPECT_TRUE(filler.may_hold(kSize - kPage, kPage));
}

TEST_F(PageCache, NothingHappensToWhoseFileBecameShorter) {
  const PageCacheFiller filler(fd_, kSize);
  ASSERT_EQ(::ftruncate(fd_, static_cast<off_t>(kStretch)), 0);
  filler.fill(3 * kStretch, kStretch);
  EXPECT_FALSE(filler.may_hold(3 * kStretch, kStretch));
}

TEST_F(PageCache, ToAskBringsNothingIn) {
  const PageCacheFiller filler(fd_, kSize);
  EXPECT_FALSE(filler.may_hold(kStretch, PageCacheFiller::kLeastAskBytes));
  EXPECT_EQ(pages_in(0, kSize), 0u);
  filler.fill(kStretch, kPage);
  EXPECT_TRUE(comes_in(kStretch, kStretch));
  EXPECT_TRUE(filler.may_hold(kStretch, kStretch));
  EXPECT_FALSE(filler.may_hold(kStretch - kPage, kStretch));
  EXPECT_FALSE(filler.may_hold(kStretch + kPage, kStretch));
}

TEST_F(PageCache, WhatIsFilledIsNotMemoryOfThisProcess) {
  const PageCacheFiller filler(fd_, kSize);
  const uint64_t before = mapped_kib();
  filler.fill(0, 16 * kStretch);
  EXPECT_TRUE(comes_in(0, 16 * kStretch));
  EXPECT_LT(mapped_kib(), before + 4 * 1024);
}

TEST_F(PageCache, ADeviceReadsLongRangesFromIt) {
  auto device = open_file_device(path_, {});
  ASSERT_TRUE(device) << device.error().to_string();
  Bytes out(128 << 10);
  EXPECT_EQ(*(*device)->read_cached(6 * kStretch, out), false);
  EXPECT_EQ(pages_in(0, kSize), 0u) << "a look brought something in";
  (*device)->fill_cache(6 * kStretch, kStretch);
  ASSERT_TRUE(comes_in(6 * kStretch, kStretch));
  ASSERT_EQ(*(*device)->read_cached(6 * kStretch, out), true);
  EXPECT_EQ(std::memcmp(out.data(), content_.data() + 6 * kStretch, out.size()), 0);
}

// A write goes past the cache, and what was read from it before must not come back.
TEST_F(PageCache, WhatIsWrittenIsReadFromThenOn) {
  auto device = open_file_device(path_, {});
  ASSERT_TRUE(device) << device.error().to_string();
  (*device)->fill_cache(0, 4 * kStretch);
  ASSERT_TRUE(comes_in(0, 4 * kStretch));
  AlignedBuffer fresh(64 << 10);
  std::memset(fresh.data(), 'n', fresh.size());
  ASSERT_TRUE((*device)->write(kStretch + 8 * kPage, fresh.span()));
  (*device)->fill_cache(0, 4 * kStretch);
  Bytes out(fresh.size());
  ASSERT_TRUE((*device)->read(kStretch + 8 * kPage, out));
  EXPECT_EQ(std::memcmp(out.data(), fresh.data(), out.size()), 0);
}

}  // namespace
}  // namespace holdfast::test
