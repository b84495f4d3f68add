#include "tests/support/store_fixture.h"

#include <gtest/gtest.h>

#include <future>

#include "storage/base/digest.h"

namespace holdfast::test {

namespace {
// Memory-backed where there is one: these tests make and drop thousands of index files.
std::filesystem::path usual_parent() { return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path(); }
}  // namespace

TempDir::TempDir() : TempDir(usual_parent()) {}

TempDir::TempDir(const std::filesystem::path& parent) {
  std::string name = (parent / "holdfast-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {
SecretKey fixed_key(int which) {
  Bytes bytes(SecretKey::kBytes, static_cast<std::byte>(which));
  return *SecretKey::from_bytes(bytes);
}
}  // namespace

StoreFixture::StoreFixture(const StoreOptions& options)
    : options_(options), random_(options.seed), master_(fixed_key(1)), recovery_(fixed_key(2)) {
  device_ = std::make_unique<SimDevice>(kHeaderAreaBytes + options.segments * options.segment_bytes);
  device_->set_sparse(options.sparse);
  device_->set_page_cache(options.page_cache);
  used_ = device_.get();
  format();
}

StoreFixture::StoreFixture(const StoreOptions& options, BlockDevice& device)
    : options_(options), random_(options.seed), master_(fixed_key(1)), recovery_(fixed_key(2)), used_(&device) {
  format();
}

void StoreFixture::format() {
  PoolCreateOptions create;
  create.name = "test";
  create.segment_bytes = options_.segment_bytes;
  create.encrypted = options_.encrypted;
  create.master_key = master_;
  create.recovery_key = recovery_;
  auto created = Pool::create(*used_, create, clock_, random_);
  EXPECT_TRUE(created) << created.error().to_string();
}

StoreFixture::StoreFixture(const StoreOptions& options, Bytes image)
    : options_(options), random_(options.seed + 7919), master_(fixed_key(1)), recovery_(fixed_key(2)) {
  device_ = std::make_unique<SimDevice>(std::move(image));
  device_->set_sparse(options.sparse);
  device_->set_page_cache(options.page_cache);
  used_ = device_.get();
}

Result<void> StoreFixture::open(bool accept_loss, bool rebuild) {
  PoolOpenOptions open;
  open.index_path = index_path();
  open.master_key = master_;
  open.accept_loss = accept_loss;
  open.rebuild_index = rebuild;
  open.holder = "test";
  open.background = false;
  open.cache_bytes = options_.cache_bytes;
  open.host_lock = false;
  using std::chrono::milliseconds;
  open.heartbeat = {.beat = milliseconds(10), .watch = milliseconds(100), .claim = milliseconds(20), .stale = milliseconds(60000)};
  auto pool = Pool::open(std::make_unique<BorrowedDevice>(*used_), open, clock_, random_);
  if (!pool) return std::unexpected(pool.error());
  pool_ = std::move(*pool);
  store_ = std::make_unique<Store>(std::vector<Pool*>{pool_.get()});
  return {};
}

void StoreFixture::close() {
  store_.reset();
  pool_.reset();
}

Result<void> StoreFixture::reopen() {
  close();
  return open();
}

void StoreFixture::drop_index() {
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(index_path() + suffix);
}

void StoreFixture::make_bucket(const std::string& name, Versioning versioning, bool lock) {
  Bucket bucket;
  bucket.name = name;
  bucket.versioning = versioning;
  bucket.lock_enabled = lock;
  auto made = store_->create_bucket(bucket, "");
  ASSERT_TRUE(made) << made.error().to_string();
}

std::unique_ptr<BodySink> StoreFixture::open_body_now(const std::string& bucket, uint64_t size_bytes) {
  return options_.prompt ? store_->open_body_now(bucket, size_bytes) : nullptr;
}

Result<std::unique_ptr<ObjectReader>> StoreFixture::open_reader(const std::string& bucket, const std::string& key, const VersionRef& version) {
  if (options_.prompt) {
    if (auto reader = store_->get_now(bucket, key, version)) return std::move(*reader);
  }
  return store_->get(bucket, key, version);
}

Result<ObjectInfo> StoreFixture::put(const std::string& bucket, const std::string& key, std::string_view body,
                                     WriteConditions conditions, Attributes attributes) {
  auto sink = open_body_now(bucket, body.size());
  const bool soon = sink != nullptr;
  if (!soon) {
    HF_TRY(sink, store_->open_body(bucket, body.size()));
  }
  HF_CHECK(sink->append(as_bytes(body)));
  PutRequest request;
  request.bucket = bucket;
  request.key = key;
  const std::string md5 = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
  if (!soon) request.etag = md5;
  request.conditions = std::move(conditions);
  request.attributes = std::move(attributes);
  if (!soon) return store_->put(std::move(request), std::move(sink));
  std::promise<Result<ObjectInfo>> made;
  store_->put_soon(std::move(request), std::move(sink), [&](Result<ObjectInfo> result) { made.set_value(std::move(result)); });
  auto result = made.get_future().get();
  if (result) {
    EXPECT_EQ(md5, result->etag);
  }
  return result;
}

Result<std::string> StoreFixture::get(const std::string& bucket, const std::string& key, VersionRef version) {
  HF_TRY(auto reader, open_reader(bucket, key, version));
  if (reader->info().is_marker) return error(Code::kNotFound, Subject::kKey, "delete marker");
  std::string out(reader->info().size_bytes, '\0');
  const MutableByteSpan into(reinterpret_cast<std::byte*>(out.data()), out.size());
  bool is_read = false;
  if (options_.prompt) {
    HF_TRY(is_read, reader->read_now(0, into));
  }
  if (!is_read) HF_CHECK(reader->read(0, into));
  return out;
}

Result<RemoveResult> StoreFixture::remove(const std::string& bucket, const std::string& key, VersionRef version,
                                          bool bypass) {
  std::vector<RemoveRequest> requests(1);
  requests[0].key = key;
  requests[0].version = version;
  requests[0].bypass_governance = bypass;
  HF_TRY(auto results, store_->remove(bucket, std::move(requests)));
  return results.at(0);
}

std::string random_text(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = random();
    std::memcpy(out.data() + i, &word, std::min<size_t>(8, size - i));
  }
  return out;
}

}  // namespace holdfast::test
