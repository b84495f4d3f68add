// A store on a simulated device, reopened at will.
#pragma once

#include <filesystem>
#include <memory>

#include "storage/object/store.h"
#include "tests/support/sim_device.h"

namespace holdfast::test {

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir();
  explicit TempDir(const std::filesystem::path& parent);
  ~TempDir();
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Passes calls on to a device that outlives the pool.
class BorrowedDevice final : public BlockDevice {
 public:
  explicit BorrowedDevice(BlockDevice& device) : device_(device) {}
  const DeviceInfo& info() const override { return device_.info(); }
  Result<void> read(uint64_t offset, MutableByteSpan out) override { return device_.read(offset, out); }
  Result<bool> read_cached(uint64_t offset, MutableByteSpan out) override { return device_.read_cached(offset, out); }
  Result<void> write(uint64_t offset, ByteSpan in) override { return device_.write(offset, in); }
  Result<void> flush() override { return device_.flush(); }
  Result<void> discard(uint64_t offset, uint64_t length) override { return device_.discard(offset, length); }
  uint64_t incarnation() const override { return device_.incarnation(); }
  bool held() const override { return device_.held(); }

 private:
  BlockDevice& device_;
};

struct StoreOptions {
  uint64_t segment_bytes = 256 << 10;
  uint32_t segments = 96;
  bool encrypted = true;
  uint64_t seed = 1;
  bool sparse = false;  // the device
  bool page_cache = true;    // likewise
  uint64_t cache_bytes = 0;  // of the pool's own
  bool prompt = false;  // put() and get() by PromptStore, where it takes them
};

class StoreFixture {
 public:
  explicit StoreFixture(const StoreOptions& options = {});
  // Starts from an image that another fixture's device left.
  StoreFixture(const StoreOptions& options, Bytes image);
  // On a device of the caller's, which is formatted.
  StoreFixture(const StoreOptions& options, BlockDevice& device);

  Result<void> open(bool accept_loss = false, bool rebuild = false);
  void close();
  // Opens again, on the same device and index.
  Result<void> reopen();
  void drop_index();

  SimDevice& device() { return *device_; }
  Store& store() { return *store_; }
  Pool& pool() { return *pool_; }
  ManualClock& clock() { return clock_; }
  const std::string index_path() const { return dir_.path("index.sqlite3"); }
  const SecretKey& recovery_key() const { return recovery_; }
  const SecretKey& master_key() const { return master_; }

  // Short cuts that fail the test on any error.
  void make_bucket(const std::string& name, Versioning versioning = Versioning::kOff, bool lock = false);
  Result<ObjectInfo> put(const std::string& bucket, const std::string& key, std::string_view body,
                         WriteConditions conditions = {}, Attributes attributes = {});
  Result<std::string> get(const std::string& bucket, const std::string& key, VersionRef version = {});
  Result<RemoveResult> remove(const std::string& bucket, const std::string& key, VersionRef version = {},
                              bool bypass = false);

 private:
  std::unique_ptr<BodySink> open_body_now(const std::string& bucket, uint64_t size_bytes);
  Result<std::unique_ptr<ObjectReader>> open_reader(const std::string& bucket, const std::string& key, const VersionRef& version);

  StoreOptions options_;
  TempDir dir_;
  ManualClock clock_{1'700'000'000'000};
  SeededRandom random_;
  SecretKey master_, recovery_;
  void format();

  std::unique_ptr<SimDevice> device_;  // unless the caller brought one
  BlockDevice* used_ = nullptr;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Store> store_;
};

// `size` bytes that follow from `seed`.
std::string random_text(uint64_t seed, size_t size);

}  // namespace holdfast::test
