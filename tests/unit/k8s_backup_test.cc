// What a backup takes, without a server: specifications, filters, selectors, archives.
#include <gtest/gtest.h>

#include "k8s/bucket/archive_writer.h"
#include "k8s/spec/go_duration.h"
#include "k8s/bucket/gunzip_stream.h"
#include "k8s/backup/item_queue.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/backup/related_items.h"
#include "k8s/backup/resource_filter.h"
#include "k8s/bucket/run_log.h"
#include "k8s/restore_point_catalog.h"
#include "tests/support/store_fixture.h"
#include "tests/support/json_object.h"

#include <thread>

namespace holdfast::k8s {
namespace {

BackupSpec spec(const char* text) {
  std::vector<std::string> problems;
  BackupSpec s = parse_backup_spec(object(text), problems);
  EXPECT_EQ(std::vector<std::string>(), problems) << text;
  return s;
}

TEST(Durations, AsGoWritesThem) {
  EXPECT_EQ(2'592'000'000, parse_duration_ms("720h0m0s"));
  EXPECT_EQ(5'400'000, parse_duration_ms("1h30m"));
  EXPECT_EQ(1'500, parse_duration_ms("1.5s"));
  EXPECT_EQ(-60'000, parse_duration_ms("-1m"));
  EXPECT_EQ(0, parse_duration_ms("0"));
  for (const char* bad : {"", "1", "h", "1d", "1h x", "..s", "1e9h", "99999999999h"}) EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  EXPECT_EQ("720h0m0s", duration_text(2'592'000'000));
  EXPECT_EQ("10m0s", duration_text(600'000));
  EXPECT_EQ("1.5s", duration_text(1'500));
  EXPECT_EQ("0s", duration_text(0));
}

TEST(LabelSelectors, MatchAsTheServerDoes) {
  const auto s = LabelSelector::parse(object(R"({"matchLabels":{"app":"shop"},"matchExpressions":[
      {"key":"tier","operator":"In","values":["a","b"]},{"key":"env","operator":"NotIn","values":["dev"]},
      {"key":"x","operator":"Exists"},{"key":"y","operator":"DoesNotExist"}]})"));
  ASSERT_TRUE(s);
  EXPECT_EQ("app=shop,tier in (a,b),env notin (dev),x,!y", s->text());
  EXPECT_TRUE(s->matches(object(R"({"app":"shop","tier":"b","x":""})")));  // NotIn holds where there is no label
  EXPECT_FALSE(s->matches(object(R"({"app":"shop","tier":"b","x":"","env":"dev"})")));
  EXPECT_FALSE(s->matches(object(R"({"app":"shop","tier":"c","x":""})")));
  EXPECT_FALSE(s->matches(object(R"({"app":"shop","tier":"b"})")));
  EXPECT_FALSE(s->matches(object(R"({"app":"shop","tier":"b","x":"","y":"1"})")));
  for (const char* bad : {R"({"matchExpressions":[{"key":"a","operator":"In"}]})", R"({"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]})",
                          R"({"matchExpressions":[{"operator":"Exists"}]})", R"({"matchExpressions":[1]})", R"({"matchLabels":{"a":1}})"}) {
    EXPECT_FALSE(LabelSelector::parse(object(bad))) << bad;
  }
}

constexpr const char* kResources = R"({"items":[{"metadata":{},"versions":[{"version":"v1","resources":[
 {"resource":"namespaces","responseKind":{"kind":"Namespace"},"scope":"Cluster","verbs":["list"],"shortNames":["ns"]},
 {"resource":"nodes","responseKind":{"kind":"Node"},"scope":"Cluster","verbs":["list"]},
 {"resource":"pods","responseKind":{"kind":"Pod"},"scope":"Namespaced","verbs":["list"],"shortNames":["po"]}]}]},
 {"metadata":{"name":"snapshot.storage.k8s.io"},"versions":[{"version":"v1","resources":[
 {"resource":"volumesnapshots","responseKind":{"kind":"VolumeSnapshot"},"scope":"Namespaced","verbs":["list"]},
 {"resource":"volumesnapshotcontents","responseKind":{"kind":"VolumeSnapshotContent"},"scope":"Cluster","verbs":["list"]}]}]}]})";

struct Decision {
  std::string collected, admitted;  // resources by their first letter: n, N(odes), p, s, c
};

Decision decide(const char* text, const std::vector<std::string>& exempt = {}) {
  Discovery d;
  EXPECT_TRUE(d.add_aggregated(kResources));
  const BackupSpec s = spec(text);
  const ResourceFilter filter(s, d, {"here", "there"}, exempt);
  Decision out;
  for (auto [name, letter] : {std::pair{"namespaces", 'n'}, {"nodes", 'N'}, {"pods", 'p'}, {"volumesnapshots", 's'}, {"volumesnapshotcontents", 'c'}}) {
    const ApiResource* r = d.find(name);
    if (filter.collects(*r)) out.collected += letter;
    if (filter.admits(*r, r->namespaced ? "here" : "")) out.admitted += letter;
  }
  return out;
}

TEST(ResourceFilter, DecidesAsVelero) {
  EXPECT_EQ("nNp", decide("{}").collected);
  EXPECT_EQ("np", decide(R"({"includedNamespaces":["here"]})").collected);
  EXPECT_EQ("nNpc", decide(R"({"includedNamespaces":["here"]})").admitted);
  EXPECT_EQ("nNp", decide(R"({"includedNamespaces":["there","here"]})").collected);
  EXPECT_EQ("np", decide("{}", {"left-out"}).collected);
  EXPECT_EQ("nNp", decide(R"({"includedNamespaces":["here"],"includeClusterResources":true})").collected);
  EXPECT_EQ("p", decide(R"({"includeClusterResources":false})").collected);
  EXPECT_EQ("np", decide(R"({"includeClusterResources":false})").admitted);
  EXPECT_EQ("p", decide(R"({"includedResources":["po"]})").collected);
  EXPECT_EQ("nN", decide(R"({"excludedResources":["Pod"]})").collected);
  EXPECT_EQ("n", decide(R"({"excludedNamespaceScopedResources":["*"]})").collected);
  EXPECT_EQ("nNp", decide(R"({"includedClusterScopedResources":["nodes"]})").collected);
  EXPECT_EQ("np", decide(R"({"excludedClusterScopedResources":["nodes"]})").collected);
  EXPECT_EQ("nNps", decide(R"({"includedNamespaceScopedResources":["pods","volumesnapshots"],"includedClusterScopedResources":["nodes"]})").collected);
  // What Velero itself writes into a spec changes nothing.
  EXPECT_EQ("nNp", decide(R"({"includedNamespaces":["*"],"excludedClusterScopedResources":["volumesnapshotcontents.snapshot.storage.k8s.io"],
                             "excludedNamespaceScopedResources":["volumesnapshots.snapshot.storage.k8s.io"]})").collected);
  EXPECT_EQ("n", decide(R"({"includedResources":["nothing.known"],"excludedNamespaces":["here"]})").admitted.substr(0, 1));
}

TEST(BackupSpecs, DefaultsAreWrittenAndMistakesNamed) {
  const BackupSpec s = spec(R"({"orderedResources":{"pods":"a/b, a/c"},"defaultVolumesToRestic":true})");
  EXPECT_EQ(kDefaultTtlMs, s.ttl_ms);
  EXPECT_EQ("720h0m0s", text_at(s.document, "ttl"));
  EXPECT_TRUE(is_true(s.document, "defaultVolumesToFsBackup"));
  EXPECT_EQ((std::vector<std::string>{"a/b", "a/c"}), s.ordered_resources.at("pods"));
  for (auto [text, words] : {std::pair{R"({"includedNamespaces":["a","*"]})", "must either contain '*' only"}, {R"({"excludedResources":["*"]})", "cannot contain '*'"},
                             {R"({"includedNamespaces":["a**"]})", "consecutive asterisks"}, {R"({"excludedNamespaces":["a[b"]})", "unclosed bracket"},
                             {R"({"includedNamespaces":["a[]b"]})", "empty bracket"}, {R"({"includedNamespaces":["a]"]})", "unmatched closing"},
                             {R"({"includedNamespaces":["A"]})", "invalid namespace"}, {R"({"includedNamespaces":["a,b"]})", "unsupported characters"},
                             {R"({"excludedClusterScopedResources":["*","b"]})", "'*' only"}, {R"({"itemOperationTimeout":"x"})", "not a duration"}}) {
    std::vector<std::string> problems;
    parse_backup_spec(object(text), problems);
    ASSERT_EQ(1u, problems.size()) << text;
    EXPECT_NE(std::string::npos, problems[0].find(words)) << problems[0];
  }
}

TEST(RelatedItems, ClaimsLoseWhatBindsThemToTheirPast) {
  const json::object claim = object(R"({"metadata":{"name":"c","namespace":"n","labels":{"velero.io/restore-name":"r","velero.io/backup-name":"other","keep":"1"}},
      "spec":{"volumeName":"pv","selector":{"matchLabels":{"a":"b"}},"dataSource":{"name":"s"},"dataSourceRef":{}},"status":{"phase":"Bound"}})");
  const auto changed = changed_for_backup("persistentvolumeclaims", claim, "b");
  ASSERT_TRUE(changed);
  EXPECT_EQ(R"({"metadata":{"name":"c","namespace":"n","labels":{"keep":"1"}},"spec":{"volumeName":"pv"},"status":{"phase":"Bound"}})", json::serialize(*changed));
  json::object pending = claim;
  pending["status"].as_object()["phase"] = "Pending";
  EXPECT_FALSE(changed_for_backup("persistentvolumeclaims", pending, "b"));
  const auto related = related_items("persistentvolumeclaims", claim, {});
  ASSERT_EQ(1u, related.size());
  EXPECT_EQ("pv", related[0].name);
  EXPECT_TRUE(related_items("persistentvolumeclaims", pending, {}).empty());
}

TEST(Gzip, RoundTripsAndRefusesDamage) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i * 7919 % 10007) + ",";
  const std::string packed = gzip(text);
  EXPECT_LT(packed.size(), text.size() / 2);
  EXPECT_EQ(text, gunzip(packed, 1 << 30).value_or(""));
  EXPECT_EQ("", gunzip(gzip(""), 10).value_or("?"));
  EXPECT_EQ(text.substr(0, 1000), gunzip(packed, 1000).value_or(""));
  std::string flipped = packed;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x10);
  EXPECT_FALSE(gunzip(flipped, 1 << 30));
  EXPECT_FALSE(gunzip(packed.substr(0, packed.size() / 2), 1 << 30));
  EXPECT_FALSE(gunzip("not gzip at all", 100));
}

TEST(Archive, AnErrorOfTheStoreIsTheArchives) {
  size_t bytes = 0;
  ArchiveWriter archive([&](ByteSpan piece) -> Result<void> {
    bytes += piece.size();
    if (bytes > 100'000) return error(Code::kOutOfSpace, "the pool is full");
    return {};
  });
  ASSERT_TRUE(archive.begin());
  Result<void> last;
  std::string noise(3000, 'x');
  for (int i = 0; i < 10'000 && last; ++i) {
    for (char& c : noise) c = static_cast<char>(std::rand());
    last = archive.add("resources/a/cluster/" + std::to_string(i) + ".json", noise);
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(Code::kOutOfSpace, last.error().code());
}

TEST(RunLog, CountsAndGroupsWhatItSays) {
  ManualClock clock(1'767'323'045'000);
  RunLog log(clock, "backup=velero/b");
  log.info("quoted \"text\"\nand a line");
  log.warning("shop", "w1");
  log.error("", "e1");
  log.error("shop", "e2");
  EXPECT_EQ(1u, log.warnings());
  EXPECT_EQ(2u, log.errors());
  EXPECT_EQ(R"({"errors":{"cluster":["e1"],"namespaces":{"shop":["e2"]}},"warnings":{"namespaces":{"shop":["w1"]}}})", log.results_json());
  EXPECT_EQ("time=\"2026-01-02T03:04:05Z\" level=info msg=\"quoted \\\"text\\\"\\nand a line\" backup=velero/b\n",
            gunzip(log.finish(), 1 << 20).value_or("").substr(0, 89));
}

TEST(ItemQueue, GivesEverythingInOrderAndEndsWhenAbandoned) {
  ItemQueue queue;
  ApiResource a, b;
  std::jthread producer([&] {
    for (int i = 0; i < 20'000; ++i) {
      if (!queue.push(i < 10'000 ? a : b, std::to_string(i) + std::string(1000, '.'))) return;
    }
    queue.finish();
  });
  int next = 0;
  while (auto batch = queue.pop()) {
    for (const std::string& item : batch->items) {
      ASSERT_EQ(next, std::atoi(item.c_str()));
      ASSERT_EQ(next < 10'000 ? &a : &b, batch->resource);
      ++next;
    }
  }
  EXPECT_EQ(20'000, next);
  ItemQueue abandoned;
  std::jthread blocked([&] {
    while (abandoned.push(a, std::string(100'000, '.'))) {
    }
  });
  (void)abandoned.pop();
  abandoned.abandon();
}

TEST(ObjectStream, BecomesVisibleWholeOrNotAtAll) {
  test::StoreOptions options;
  options.segments = 400;
  test::StoreFixture f(options);
  ASSERT_TRUE(f.open());
  f.make_bucket("bkt");
  for (const size_t size : {size_t{0}, size_t{5}, size_t{8} << 20, (size_t{17} << 20) + 3}) {
    Bytes content(size);
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<std::byte>(i * 31 >> 3);
    {
      ObjectStream dropped(f.store(), "bkt", "key", "application/gzip");
      ASSERT_TRUE(dropped.append(content));
    }
    EXPECT_EQ(Code::kNotFound, get_object(f.store(), "bkt", "key", 1 << 30).error().code());
    ObjectStream stream(f.store(), "bkt", "key", "application/gzip");
    for (size_t at = 0; at < size; at += 1'000'003) ASSERT_TRUE(stream.append(ByteSpan(content).subspan(at, std::min<size_t>(1'000'003, size - at))));
    ASSERT_TRUE(stream.finish());
    EXPECT_EQ(as_text(content), get_object(f.store(), "bkt", "key", 1 << 30).value_or("?"));
    ASSERT_TRUE(f.store().remove("bkt", {{.key = "key"}}));
  }
  EXPECT_TRUE(f.store().list_uploads("bkt", {})->uploads.empty());
}

// In a bucket without versions and in one with Object Lock.
class LockedPoint : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(f_.open());
    f_.make_bucket("bkt", GetParam() ? Versioning::kEnabled : Versioning::kOff, GetParam());
    for (const char* file : {"b.tar.gz", "b-logs.gz", "holdfast-evidence.json"}) put(file, "{}");
    put("velero-backup.json", kDocument);
    until_ms_ = f_.clock().wall_ms() + 3'600'000;
  }
  void put(const std::string& file, const std::string& body) { ASSERT_TRUE(f_.put("bkt", "clusters/c/backups/b/" + file, body)) << file; }

  static constexpr const char* kDocument = R"({"status":{"phase":"Completed","startTimestamp":"2026-01-02T03:04:05Z"}})";
  test::StoreFixture f_;
  int64_t until_ms_ = 0;
};

TEST_P(LockedPoint, StaysAsItIsUntilItsTimeIsOver) {
  const BackupPlace place{&f_.store(), "bkt", "clusters/c/"};
  RestorePointCatalog catalog;
  EXPECT_EQ(0, catalog.list(place)->front().locked_until_ms);
  ASSERT_TRUE(lock_restore_point(place, "b", until_ms_));
  ASSERT_TRUE(lock_restore_point(place, "b", until_ms_ - 1'000));  // shorter changes nothing
  EXPECT_EQ(until_ms_, find_restore_point(place, "b").value()->locked_until_ms);
  catalog.forget(place, "b");
  EXPECT_EQ(until_ms_, catalog.list(place)->front().locked_until_ms);
  const auto refused = delete_restore_point(place, "b");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Code::kPermissionDenied, Subject::kLock));
  EXPECT_EQ("backup \"b\" is locked until 2023-11-14T23:13:20Z", refused.error().message());
  EXPECT_TRUE(restore_point_document(place, "b"));
  for (const char* file : {"b.tar.gz", "b-logs.gz", "velero-backup.json"}) {
    const std::string key = std::string("clusters/c/backups/b/") + file;
    const auto there = f_.store().get("bkt", key, {});
    ASSERT_TRUE(there);
    const ObjectInfo& info = (*there)->info();
    const auto gone = f_.remove("bkt", key, {info.is_null ? std::nullopt : std::optional(info.seq), info.is_null}, true);
    EXPECT_EQ(Code::kPermissionDenied, gone.error().code()) << file;
    if (GetParam()) continue;
    EXPECT_EQ(Code::kPermissionDenied, f_.put("bkt", key, "other").error().code()) << file;
    EXPECT_EQ(Code::kPermissionDenied, f_.remove("bkt", key).error().code()) << file;
  }
  put("holdfast-evidence.json", "what is found out later");
  // Longer, and through a restart from the log alone.
  ASSERT_TRUE(lock_restore_point(place, "b", until_ms_ + 1'000));
  f_.close();
  f_.drop_index();
  ASSERT_TRUE(f_.open());
  const BackupPlace again{&f_.store(), "bkt", "clusters/c/"};
  EXPECT_EQ(until_ms_ + 1'000, find_restore_point(again, "b").value()->locked_until_ms);
  ASSERT_FALSE(delete_restore_point(again, "b"));
  f_.clock().advance(3'602'000);
  ASSERT_TRUE(delete_restore_point(again, "b"));
  EXPECT_TRUE(list_restore_points(again)->empty());
  EXPECT_EQ(Code::kNotFound, lock_restore_point(again, "b", until_ms_).error().code());
}

INSTANTIATE_TEST_SUITE_P(Buckets, LockedPoint, testing::Bool());

}  // namespace
}  // namespace holdfast::k8s
