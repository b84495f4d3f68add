// Verification of restore points without a cluster: reading them whole, what a trial lets loose, what it compares.
#include <gtest/gtest.h>

#include <random>

#include "k8s/bucket/archive_writer.h"
#include "k8s/bucket/object_stream.h"
#include "k8s/point_check.h"
#include "k8s/point_evidence.h"
#include "k8s/restore_point_catalog.h"
#include "k8s/restore_trial.h"
#include "k8s/trial/comparison.h"
#include "k8s/trial/harmless.h"
#include "k8s/trial/readiness.h"
#include "k8s/trial/scratch_spaces.h"
#include "tests/support/store_fixture.h"

namespace holdfast::k8s {
namespace {

json::value parsed(const std::string& text) { return json::parse(text); }
json::object object(const std::string& text) { return parsed(text).as_object(); }

std::string packed(std::string_view text) {
  std::string out;
  GzipWriter gzip([&out](ByteSpan bytes) -> Result<void> {
    out += as_text(bytes);
    return {};
  });
  EXPECT_TRUE(gzip.append(text));
  EXPECT_TRUE(gzip.finish());
  return out;
}

class PointCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fixture_.open());
    fixture_.make_bucket("holdfast");
    archive_ = archive_of({{"configmaps", "shop", "cfg", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cfg","namespace":"shop"}})"},
                           {"namespaces", "", "shop", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}})"}});
    put("velero-backup.json", R"({"metadata":{"name":"b"},"status":{"phase":"Completed"}})");
    put("b.tar.gz", archive_);
    put("b-resource-list.json.gz", packed(R"({"v1/ConfigMap":["shop/cfg"],"v1/Namespace":["shop"]})"));
    put("b-logs.gz", packed("nothing happened\n"));
  }

  struct Item {
    std::string group_resource, name_space, name, json;
  };
  static std::string archive_of(const std::vector<Item>& items) {
    std::string out;
    ArchiveWriter writer([&out](ByteSpan bytes) -> Result<void> {
      out += as_text(bytes);
      return {};
    });
    EXPECT_TRUE(writer.begin());
    for (const Item& i : items) EXPECT_TRUE(writer.add_object(i.group_resource, "v1", i.name_space, i.name, i.json));
    EXPECT_TRUE(writer.finish());
    return out;
  }

  void put(const std::string& file, const std::string& body) { ASSERT_TRUE(fixture_.put("holdfast", "clusters/c/backups/b/" + file, body)); }
  BackupPlace place() { return {&fixture_.store(), "holdfast", "clusters/c/"}; }
  std::vector<std::string> damage() {
    const auto check = check_point(place(), "b", {});
    EXPECT_TRUE(check) << check.error().message();
    return check ? check->damage : std::vector<std::string>{"no check"};
  }

  test::StoreFixture fixture_;
  std::string archive_;
};

TEST_F(PointCheckTest, WhatIsWhole) {
  const auto check = check_point(place(), "b", {});
  ASSERT_TRUE(check) << check.error().message();
  EXPECT_EQ(2U, check->items);
  EXPECT_EQ(4U, check->objects);
  EXPECT_EQ((std::vector<std::string>{}), check->damage);
  EXPECT_GT(check->bytes, archive_.size());
}

TEST_F(PointCheckTest, EachDamageIsNamed) {
  put("b-resource-list.json.gz", packed(R"({"v1/ConfigMap":["shop/cfg","shop/gone"]})"));
  EXPECT_EQ((std::vector<std::string>{"the resource list names v1/ConfigMap shop/gone, the archive does not have it", "the archive has v1/Namespace shop, the resource list does not name it"}), damage());
  put("b-resource-list.json.gz", packed("{"));
  ASSERT_EQ(2U, damage().size());
  EXPECT_TRUE(damage()[0].starts_with("b-resource-list.json.gz: ")) << damage()[0];
}

TEST_F(PointCheckTest, EveryFileIsReadToItsEnd) {
  std::string logs = packed(std::string(100'000, 'x') + "end");
  logs.resize(logs.size() - 9);
  put("b-logs.gz", logs);
  EXPECT_EQ((std::vector<std::string>{"b-logs.gz: it is cut off"}), damage());
  put("b-logs.gz", packed("fine"));
  put("b-volumeinfo.json.gz", packed("[1,"));
  EXPECT_EQ((std::vector<std::string>{"b-volumeinfo.json.gz: it is no JSON"}), damage());
}

TEST_F(PointCheckTest, AnArchiveThatIsCutOffOrHoldsOthers) {
  put("b.tar.gz", archive_.substr(0, archive_.size() / 2));
  EXPECT_EQ("b.tar.gz: it is cut off", damage().front());
  put("b.tar.gz", archive_of({{"configmaps", "shop", "cfg", R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other","namespace":"shop"}})"},
                              {"namespaces", "", "shop", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}})"}}));
  EXPECT_EQ((std::vector<std::string>{"in the archive there is another object under resources/configmaps/namespaces/shop/cfg.json"}), damage());
}

TEST_F(PointCheckTest, WithoutArchiveOrOfAnotherName) {
  ASSERT_TRUE(fixture_.store().remove("holdfast", {RemoveRequest{.key = "clusters/c/backups/b/b.tar.gz"}}));
  put("velero-backup.json", R"({"metadata":{"name":"a"}})");
  EXPECT_EQ((std::vector<std::string>{"velero-backup.json is about another backup", "there is no archive b.tar.gz"}), damage());
  EXPECT_EQ(Code::kNotFound, check_point(place(), "none", {}).error().code());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Code::kUnavailable, check_point(place(), "b", stop.get_token()).error().code());
}

TEST_F(PointCheckTest, EvidenceIsKeptWithThePoint) {
  EXPECT_FALSE(read_evidence(place(), "b")->verified());
  PointEvidence e;
  e.read = Evidence{true, 5, 6, 0, "", 7, {}};
  e.restore = Evidence{false, 1'790'000'000'000, 2, 3, "scratch", 4, {"bad \xff name", std::string(5'000, 'x')}};
  ASSERT_TRUE(write_evidence(place(), "b", e));
  auto back = read_evidence(place(), "b");
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_TRUE(back->doubted());
  EXPECT_EQ(std::tuple(1'790'000'000'000, 2, 3, std::string("scratch"), 4U), std::tuple(back->restore->finished_ms, back->restore->took_ms, back->restore->ready_ms, back->restore->cluster, back->restore->items));
  EXPECT_EQ("bad ? name", back->restore->problems[0]);
  EXPECT_EQ(1'000U, back->restore->problems[1].size());
  EXPECT_FALSE(find_restore_point(place(), "b").value()->verified);
  e.restore->good = true;
  ASSERT_TRUE(write_evidence(place(), "b", e));
  EXPECT_TRUE(find_restore_point(place(), "b").value()->verified);
  // What cannot be read proves nothing, and hides nothing.
  put("holdfast-evidence.json", "{");
  EXPECT_EQ(Code::kCorrupt, read_evidence(place(), "b").error().code());
  EXPECT_FALSE(find_restore_point(place(), "b").value()->verified);
  EXPECT_EQ(Code::kNotFound, write_evidence(place(), "none", e).error().code());
}

// What is remembered is what is there, whatever was put, changed or removed in between.
TEST_F(PointCheckTest, TheCatalogGivesWhatAListGives) {
  RestorePointCatalog catalog;
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto lines = [](const Result<std::vector<RestorePoint>>& points) {
    std::vector<std::string> out;
    for (const RestorePoint& p : points.value()) out.push_back(p.name + " " + p.phase + " " + p.policy + " " + std::to_string(p.verified) + std::to_string(p.doubted) + " " + std::to_string(p.items));
    return out;
  };
  const auto change = [&](const std::string& name) {
    const std::string key = "clusters/c/backups/" + name + "/";
    switch (random() % 6) {
      case 0: return void(fixture_.store().remove("holdfast", {RemoveRequest{.key = key + "velero-backup.json"}}));
      case 1: return void(fixture_.store().remove("holdfast", {RemoveRequest{.key = key + "holdfast-evidence.json"}}));
      case 2: return void(fixture_.put("holdfast", key + "velero-backup.json", "{"));
      case 3: return void(fixture_.put("holdfast", key + name + ".tar.gz", "x"));
      case 4: return void(fixture_.put("holdfast", key + "holdfast-evidence.json", R"({"version":1,"restore":{"good":)" + std::string(random() % 2 == 0 ? "true" : "false") + "}}"));
      default: return void(fixture_.put("holdfast", key + "velero-backup.json", R"({"status":{"phase":"Completed","progress":{"itemsBackedUp":)" + std::to_string(random() % 100) + "}}}"));
    }
  };
  for (int round = 0; round < 300; ++round) {
    for (unsigned changes = random() % 3; changes > 0; --changes) change("b" + std::to_string(random() % 5));
    ASSERT_EQ(lines(list_restore_points(place())), lines(catalog.list(place())));
  }
}

struct Compared {
  const char *wanted, *live, *difference;
};
class Comparisons : public testing::TestWithParam<Compared> {};

TEST_P(Comparisons, SayWhereTheFirstDifferenceIs) { EXPECT_EQ(GetParam().difference, first_difference(parsed(GetParam().wanted), parsed(GetParam().live))); }

INSTANTIATE_TEST_SUITE_P(
    All, Comparisons,
    testing::Values(Compared{R"({"a":1})", R"({"a":1,"b":2})", ""}, Compared{R"({"a":1})", R"({"a":2})", "a"}, Compared{R"({"a":{"b":"x"}})", R"({"a":{"c":"x"}})", "a.b"},
                    Compared{R"({"a":{},"b":[],"c":"","d":null})", "{}", ""}, Compared{R"({"a":false})", "{}", "a"}, Compared{R"([1,2])", "[2,1,3]", ""}, Compared{"[1,1]", "[1,2]", "[1]"},
                    Compared{R"({"l":[{"n":"a","v":1},{"n":"b","v":2}]})", R"({"l":[{"n":"b","v":2,"x":0},{"n":"a","v":3}]})", "l[0].n"}, Compared{"1", "1.0", ""}, Compared{"1", "2", "its value"},
                    Compared{"[[1,2],[3]]", "[[3],[2,1]]", ""}, Compared{R"({"a":1})", "[]", "its value"}));

TEST(Comparison, WhatTakesForeverIsADifference) {
  std::string wanted = "1", live = "2";
  for (int depth = 0; depth < 14; ++depth) {
    wanted = "[" + wanted + "," + wanted + "]";
    live = "[" + live + "," + live + "]";
  }
  EXPECT_NE("", first_difference(parsed(wanted), parsed(live)));
}

TEST(Comparison, NotesOfControllersDoNotCount) {
  json::object wanted = object(R"({"metadata":{"name":"d","labels":{"velero.io/restore-name":"old","app":"d"},"finalizers":["x"],
    "annotations":{"deployment.kubernetes.io/revision":"7","note":"n"}},"spec":{"replicas":2},"status":{"x":1}})");
  const json::object live = object(R"({"metadata":{"name":"d","labels":{"velero.io/restore-name":"new","app":"d"},"annotations":{"note":"n"}},"spec":{"replicas":2}})");
  EXPECT_EQ("", object_difference(wanted, live));
  wanted["spec"].get_object()["replicas"] = 3;
  EXPECT_EQ("spec.replicas", object_difference(wanted, live));
}

TEST(Readiness, AsTheStatusOfWorkloadsHasIt) {
  const auto why = [](const char* kind, const char* text) { return why_not_ready(kind, object(text)).value_or("ready"); };
  EXPECT_EQ("ready", why("deployments.apps", R"({"metadata":{"generation":2},"spec":{"replicas":2},"status":{"observedGeneration":2,"availableReplicas":2}})"));
  EXPECT_EQ("its controller has not seen it yet", why("deployments.apps", R"({"metadata":{"generation":2},"spec":{"replicas":0},"status":{"observedGeneration":1}})"));
  EXPECT_EQ("0 of 1 pods are ready", why("statefulsets.apps", R"({"spec":{}})"));
  EXPECT_EQ("ready", why("deployments.apps", R"({"spec":{"replicas":0}})"));
  EXPECT_EQ("1 of 3 pods are ready", why("daemonsets.apps", R"({"status":{"desiredNumberScheduled":3,"numberReady":1}})"));
  EXPECT_EQ("ready", why("pods", R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})"));
  EXPECT_EQ("it is not ready", why("pods", R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}]}})"));
  EXPECT_EQ("it is Pending", why("persistentvolumeclaims", R"({"status":{"phase":"Pending"}})"));
  EXPECT_EQ("ready", why("configmaps", "{}"));
  EXPECT_EQ("container web: ImagePullBackOff", container_problem(object(R"({"status":{"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ImagePullBackOff"}}}]}})")));
  EXPECT_EQ("it is not scheduled: no node fits", container_problem(object(R"({"status":{"conditions":[{"type":"PodScheduled","status":"False","message":"no node fits"}]}})")));
  EXPECT_TRUE(is_made_by_controller(object(R"({"metadata":{"ownerReferences":[{"controller":true}]}})")));
  EXPECT_FALSE(is_made_by_controller(object(R"({"metadata":{"ownerReferences":[{}]}})")));
}

TEST(Harmless, NothingReachesBeyond) {
  json::object service = object(R"({"spec":{"type":"LoadBalancer","externalIPs":["1.2.3.4"],"loadBalancerIP":"1.2.3.4","externalTrafficPolicy":"Local","ports":[{"port":80,"nodePort":31000}]}})");
  make_harmless("services", service, true);
  EXPECT_EQ(object(R"({"spec":{"type":"ClusterIP","ports":[{"port":80}]}})"), service);
  json::object claim = object(R"({"spec":{"volumeName":"pv-1","storageClassName":"fast"}})");
  make_harmless("persistentvolumeclaims", claim, true);
  EXPECT_EQ(object(R"({"spec":{"storageClassName":"fast"}})"), claim);
  json::object job = object(R"({"spec":{}})");
  make_harmless("jobs.batch", job, true);
  EXPECT_TRUE(job["spec"].at("suspend").as_bool());
  json::object policy = object(R"({"spec":{"podSelector":{}}})");
  make_harmless("networkpolicies.networking.k8s.io", policy, false);
  EXPECT_EQ(object(R"({"spec":{"podSelector":{}}})"), policy);
  json::object pod = object(R"({"spec":{"priorityClassName":"urgent","preemptionPolicy":"Never","containers":[]}})");
  make_harmless("pods", pod, true);
  EXPECT_EQ(object(R"({"spec":{"containers":[]}})"), pod);
  json::object workload = object(R"({"spec":{"replicas":2,"template":{"spec":{"priorityClassName":"urgent","priority":7}}}})");
  make_harmless("deployments.apps", workload, true);
  EXPECT_EQ(object(R"({"spec":{"replicas":2,"template":{"spec":{}}}})"), workload);
  EXPECT_TRUE(acts_outside("ingresses.networking.k8s.io", true));
  EXPECT_TRUE(acts_outside("lamps.town.example", false));
  EXPECT_TRUE(acts_outside("volumesnapshots.snapshot.storage.k8s.io", false));
  EXPECT_FALSE(acts_outside("lamps.town.example", true));
  for (const char* kind : {"configmaps", "deployments.apps", "networkpolicies.networking.k8s.io", "poddisruptionbudgets.policy"}) EXPECT_FALSE(acts_outside(kind, false)) << kind;
}

TEST(ScratchNames, AreNamesAndNoTwoTheSame) {
  const std::string shared(55, 'a');
  const auto names = scratch_names("0badcafe", {"shop", shared + "-first", shared + "-second", std::string(50, 'b') + "-c", std::string(51, 'b') + "-" + std::string(11, 'd')});
  EXPECT_EQ("hf-0badcafe-shop", names.at("shop"));
  std::set<std::string> all;
  for (const auto& [from, to] : names) {
    EXPECT_TRUE(to.size() <= 63 && !to.ends_with('-') && to.starts_with("hf-0badcafe-")) << to;
    all.insert(to);
  }
  EXPECT_EQ(names.size(), all.size());
}

}  // namespace
}  // namespace holdfast::k8s
