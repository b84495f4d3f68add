// A cluster whose volumes' data is in a small kopia repository, and a site to copy its restore points to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "daemon/replicator/repository_sweep.h"
#include "daemon/replicator/unit_copier.h"
#include "daemon/replicator/unit_layout.h"
#include "k8s/bucket/gzip_writer.h"
#include "tests/support/copy_fixture.h"
#include "tests/support/small_kopia.h"

namespace holdfast::test {

inline const std::string kShop = "kopia/shop/";
inline constexpr int64_t kHourMs = 3'600'000;

using Contents = std::map<std::string, std::string>;

class RepositoryCopyTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(begin(1)); }

  // A source and a site with nothing in them.
  void begin(uint64_t seed) {
    kopia_.reset();
    fixture_ = std::make_unique<StoreFixture>(StoreOptions{.seed = seed});
    ASSERT_TRUE(fixture_->open());
    fixture_->make_bucket("holdfast");
    kopia_ = std::make_unique<SmallKopia>(fixture_->store(), "holdfast", kPrefix + kShop, seed);
    site_ = std::make_unique<MemoryRemote>();
    site_->keeps_times = true;
    site_->clock_ms = 1'767'000'000'000;
    points_.clear();
  }

  void put(const std::string& name, const std::string& body) { ASSERT_TRUE(fixture_->put("holdfast", kPrefix + name, body)); }

  // A backup with the data of a volume in the repository.
  void back_up(const std::string& name) {
    kopia_->chatter();
    put("backups/" + name + "/" + name + "-volumeinfo.json.gz", k8s::gzip(R"([{"backupMethod":"PodVolumeBackup","pvcName":"data","pvcNamespace":"shop","result":"succeeded",
        "pvbInfo":{"uploaderType":"kopia","podNamespace":"shop","podName":"web"}}])"));
    put("backups/" + name + "/velero-backup.json", "{}");
    points_[name] = {kopia_->write(3), unit(name)};
  }
  SiteUnit unit(const std::string& name) {
    SiteUnit u;
    u.cluster = "prod";
    u.backup = name;
    u.source = "holdfast-1";
    u.started_ms = 1'767'000'000'000 + 60'000 * static_cast<int64_t>(++begun_);
    return u;
  }
  void delete_backup(const std::string& name) {
    kopia_->forget(points_[name].contents);
    for (const char* file : {"-volumeinfo.json.gz"}) ASSERT_TRUE(fixture_->remove("holdfast", kPrefix + "backups/" + name + "/" + name + file));
    ASSERT_TRUE(fixture_->remove("holdfast", kPrefix + "backups/" + name + "/velero-backup.json"));
  }

  CopySource source() { return {&fixture_->store(), "holdfast", kPrefix}; }
  Result<void> copy(const std::string& name, unsigned transfers = 4) {
    CopyProgress progress;
    const CopySource from = source();
    return copy_unit(from, *site_, points_[name].unit, {transfers, 1 << 20}, progress, {});
  }
  Result<void> sweep() { return sweep_repositories(*site_, "prod", {}); }
  bool is_marked(const std::string& name) { return site_->objects().contains(marker_key(points_[name].unit)); }

  // What a client of kopia's reads under a prefix there.
  Contents read(const std::string& prefix) { return read_contents(site_->objects(), prefix + kShop); }
  static bool has(const Contents& read, const Contents& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& c) { return read.contains(c.first) && read.at(c.first) == c.second; });
  }
  // In a prefix of its own.
  void expect_restorable(const std::string& name) {
    CopyProgress progress;
    const auto laid_out = lay_out_unit(*site_, points_[name].unit, {4, 1 << 20}, progress, {});
    ASSERT_TRUE(laid_out) << name << ": " << laid_out.error().message();
    EXPECT_TRUE(has(read(layout_prefix("prod", name)), points_[name].contents)) << name;
    EXPECT_TRUE(site_->objects().contains(layout_prefix("prod", name) + "backups/" + name + "/velero-backup.json"));
    EXPECT_EQ(progress.objects.load(), progress.objects_done.load());
    ASSERT_TRUE(clear_layout(*site_, "prod", name));
    EXPECT_TRUE(site_->keys("laid-out/").empty());
  }
  // As it lies there.
  bool live_has(const std::string& name) { return has(read(kPrefix), points_[name].contents); }
  std::set<std::string> names_under(const std::string& prefix) {
    std::set<std::string> names;
    for (const std::string& key : site_->keys(prefix)) names.insert(key.substr(prefix.size()));
    return names;
  }

  struct Point {
    Contents contents;
    SiteUnit unit;
  };
  std::unique_ptr<StoreFixture> fixture_;
  std::unique_ptr<SmallKopia> kopia_;
  std::unique_ptr<MemoryRemote> site_;
  std::map<std::string, Point> points_;
  unsigned begun_ = 0;
};

}  // namespace holdfast::test
