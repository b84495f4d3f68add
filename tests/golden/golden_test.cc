// A pool as format version 1 wrote it, read by this program: what is on disks must stay readable for ever.
// HOLDFAST_WRITE_GOLDEN=FILE writes such a pool anew; the file in the tree changes only with the format's version.
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/store_fixture.h"

namespace holdfast::test {
namespace {

StoreOptions options() {
  StoreOptions o;
  o.segment_bytes = 256 << 10;
  o.segments = 64;
  return o;
}

constexpr uint64_t kLockedUntilMs = 4'102'444'800'000;  // 2100-01-01

Bytes load() {
  std::ifstream file(HOLDFAST_GOLDEN, std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(packed.empty()) << "no " << HOLDFAST_GOLDEN;
  Bytes image(ZSTD_getFrameContentSize(packed.data(), packed.size()));
  EXPECT_EQ(ZSTD_decompress(image.data(), image.size(), packed.data(), packed.size()), image.size());
  return image;
}

// One of everything that a record can say.
void fill(StoreFixture& f) {
  f.make_bucket("plain");
  f.make_bucket("versioned", Versioning::kEnabled);
  f.make_bucket("locked", Versioning::kEnabled, true);
  Attributes described;
  described.headers = {{"content-type", "text/x-golden"}, {"x-amz-meta-who", "m\xc3\xbcller"}};
  described.tags = {{"tier", "gold"}};
  ASSERT_TRUE(f.put("plain", "inline", "a small body", {}, described));
  ASSERT_TRUE(f.put("plain", "dir//../\xe2\x82\xac", random_text(11, 200'000)));
  ASSERT_TRUE(f.put("plain", "gone", "x"));
  ASSERT_TRUE(f.remove("plain", "gone"));
  ASSERT_TRUE(f.put("versioned", "k", "first"));
  ASSERT_TRUE(f.put("versioned", "k", "second"));
  ASSERT_TRUE(f.remove("versioned", "k"));
  Attributes locked;
  locked.retention = {LockMode::kCompliance, static_cast<int64_t>(kLockedUntilMs)};
  ASSERT_TRUE(f.put("locked", "k", "kept", {}, locked));
  UploadRequest upload;
  upload.bucket = "plain";
  upload.key = "in-parts";
  upload.owner = "golden";
  auto begun = f.store().create_upload(upload);
  ASSERT_TRUE(begun);
  CompleteRequest complete;
  complete.bucket = "plain";
  complete.key = "in-parts";
  complete.upload_id = begun->id;
  complete.min_part_bytes = 1;
  for (uint32_t n = 1; n <= 2; ++n) {
    const std::string body = random_text(20 + n, 50'000);
    auto sink = f.store().open_body("plain", body.size());
    ASSERT_TRUE(sink && (*sink)->append(as_bytes(body)));
    PartInfo info;
    info.number = n;
    info.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
    ASSERT_TRUE(f.store().put_part("plain", "in-parts", begun->id, info, std::move(*sink)));
    complete.parts.push_back({n, info.etag, {}});
  }
  ASSERT_TRUE(f.store().complete_upload(complete));
  upload.key = "unfinished";
  ASSERT_TRUE(f.store().create_upload(upload));
  User user;
  user.access_key = "GOLDENKEY";
  user.secret = "golden-secret";
  user.name = "golden";
  user.role = Role::kAppendOnly;
  user.scopes = {"plain/dir"};
  ASSERT_TRUE(f.store().put_user(user));
}

void expect_filled(StoreFixture& f) {
  EXPECT_EQ(*f.get("plain", "inline"), "a small body");
  EXPECT_EQ(*f.get("plain", "dir//../\xe2\x82\xac"), random_text(11, 200'000));
  EXPECT_EQ(*f.get("plain", "in-parts"), random_text(21, 50'000) + random_text(22, 50'000));
  EXPECT_EQ(f.get("plain", "gone").error().code(), Code::kNotFound);
  const auto described = f.store().get("plain", "inline", {});
  ASSERT_TRUE(described);
  const Attributes& a = (*described)->info().attributes;
  EXPECT_EQ(a.headers, (Pairs{{"content-type", "text/x-golden"}, {"x-amz-meta-who", "m\xc3\xbcller"}}));
  EXPECT_EQ(a.tags, (Pairs{{"tier", "gold"}}));
  ListQuery all;
  all.all_versions = true;
  const auto versions = f.store().list("versioned", all);
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->entries.size(), 3u);
  EXPECT_TRUE(versions->entries[0].is_marker);
  EXPECT_EQ(*f.get("versioned", "k", {versions->entries[1].seq, false}), "second");
  EXPECT_EQ(*f.get("versioned", "k", {versions->entries[2].seq, false}), "first");
  const auto locked = f.store().get("locked", "k", {});
  ASSERT_TRUE(locked);
  EXPECT_EQ((*locked)->info().attributes.retention, (Retention{LockMode::kCompliance, static_cast<int64_t>(kLockedUntilMs)}));
  EXPECT_EQ(f.remove("locked", "k", {(*locked)->info().seq, false}, true).error().code(), Code::kPermissionDenied);
  const auto uploads = f.store().list_uploads("plain", {});
  ASSERT_TRUE(uploads);
  ASSERT_EQ(uploads->uploads.size(), 1u);
  EXPECT_EQ(uploads->uploads[0].key, "unfinished");
  const auto user = f.store().user("GOLDENKEY");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->secret, "golden-secret");
  EXPECT_EQ(user->role, Role::kAppendOnly);
  EXPECT_EQ(user->scopes, (std::vector<std::string>{"plain/dir"}));
}

TEST(Golden, WhatIsWrittenTodayReadsTheSame) {
  StoreFixture f(options());
  ASSERT_TRUE(f.open());
  fill(f);
  f.close();
  f.drop_index();
  if (const char* path = std::getenv("HOLDFAST_WRITE_GOLDEN")) {
    const Bytes image = f.device().image();
    std::string packed(ZSTD_compressBound(image.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), image.data(), image.size(), 19));
    std::ofstream(path, std::ios::binary) << packed;
  }
  ASSERT_TRUE(f.open());
  expect_filled(f);
}

TEST(Golden, PoolOfVersionOneFromTheDeviceAlone) {
  StoreFixture f(options(), load());
  ASSERT_TRUE(f.open());
  expect_filled(f);
  EXPECT_EQ(f.pool().read_only_reason(), "");
  EXPECT_TRUE(f.put("plain", "more", "written by a later program"));
  f.close();
  f.drop_index();
  ASSERT_TRUE(f.open());
  expect_filled(f);
}

}  // namespace
}  // namespace holdfast::test
