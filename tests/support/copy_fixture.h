// A restore point here, of 22 objects, and a site to copy it to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/replicator/unit_copier.h"
#include "storage/base/digest.h"
#include "tests/support/memory_remote.h"
#include "tests/support/store_fixture.h"

namespace holdfast::test {

inline const std::string kPrefix = "clusters/prod/";
inline const std::string kDocument = kPrefix + "backups/b/velero-backup.json";

class CopyTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fixture_.open());
    fixture_.make_bucket("holdfast");
    for (int i = 0; i < 20; ++i) put("backups/b/small-" + std::to_string(i), std::string(static_cast<size_t>(i == 2 ? 20 : i * 37), static_cast<char>('a' + i)));
    put("backups/b/velero-backup.json", "{}");
    put("backups/bb/other", "not of this one");
    put_in_parts("backups/b/large", {70'000, 80'000, 1'000});
    unit_.cluster = "prod";
    unit_.backup = "b";
    unit_.source = "holdfast-1";
    unit_.started_ms = 1'767'323'045'000;
  }

  void put(const std::string& name, const std::string& body) { ASSERT_TRUE(fixture_.put("holdfast", kPrefix + name, body)); }

  void put_in_parts(const std::string& name, const std::vector<size_t>& sizes) {
    Store& store = fixture_.store();
    const auto upload = store.create_upload({"holdfast", kPrefix + name, "", {}, {}});
    ASSERT_TRUE(upload);
    CompleteRequest complete;
    complete.bucket = "holdfast";
    complete.key = kPrefix + name;
    complete.upload_id = upload->id;
    complete.min_part_bytes = 0;
    for (uint32_t n = 1; n <= sizes.size(); ++n) {
      const std::string body(sizes[n - 1], static_cast<char>('0' + n));
      auto sink = store.open_body("holdfast", body.size());
      ASSERT_TRUE(sink);
      ASSERT_TRUE((*sink)->append(as_bytes(body)));
      PartInfo info;
      info.number = n;
      info.etag = hex(as_bytes(Digest::of(DigestKind::kMd5, as_bytes(body))));
      ASSERT_TRUE(store.put_part("holdfast", kPrefix + name, upload->id, info, std::move(*sink)));
      complete.parts.push_back({n, info.etag, {}});
    }
    ASSERT_TRUE(store.complete_upload(complete));
  }

  Result<void> copy() {
    CopyProgress progress;
    const CopySource source{&fixture_.store(), "holdfast", kPrefix};
    return copy_unit(source, site_, unit_, {4, 1 << 20}, progress, {});
  }

  // What the site holds of the unit is what is here; the marker is there.
  void expect_whole() {
    auto there = site_.objects();
    const std::string marker = marker_key(unit_);
    ASSERT_TRUE(there.contains(marker));
    const auto named = contents_of_marker(there[marker]);
    ASSERT_TRUE(named) << named.error().message();
    EXPECT_EQ(22U, named->objects.size());
    for (const UnitObject& o : named->objects) {
      const auto here = fixture_.get("holdfast", kPrefix + o.key);
      ASSERT_TRUE(here) << o.key;
      ASSERT_TRUE(there.contains(kPrefix + o.key)) << o.key;
      EXPECT_EQ(*here, there[kPrefix + o.key]) << o.key;
    }
  }

  // A marker promises everything, velero-backup.json everything but the marker.
  void expect_nothing_half_visible() {
    const auto there = site_.objects();
    if (there.contains(marker_key(unit_))) expect_whole();
    if (!there.contains(kDocument)) return;
    EXPECT_EQ(22U, static_cast<size_t>(std::count_if(there.begin(), there.end(), [](const auto& o) { return o.first.starts_with(kPrefix); })));
  }

  StoreFixture fixture_;
  MemoryRemote site_;
  SiteUnit unit_;
};

}  // namespace holdfast::test
