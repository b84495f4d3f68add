// Resource policies: their conditions, what they leave out, and what is wrong with them.
#include <gtest/gtest.h>

#include "k8s/backup/resource_filter.h"
#include "k8s/backup/volume_report.h"
#include "k8s/spec/quantity.h"
#include "tests/support/json_object.h"

namespace holdfast::k8s {
namespace {

Result<ResourcePolicies> policies(const std::string& yaml) { return ResourcePolicies::parse({{"data", json::object{{"policy.yaml", yaml}}}}); }

TEST(Quantities, AsKubernetesWritesThem) {
  EXPECT_EQ(10.0L * (1 << 30), parse_quantity("10Gi"));
  EXPECT_EQ(1.5e12L, parse_quantity("1.5T"));
  EXPECT_EQ(0.5L, parse_quantity("500m"));
  EXPECT_EQ(1000.0L, parse_quantity("1e3"));
  EXPECT_EQ(1e18L, parse_quantity("1E"));
  EXPECT_EQ(-3.0L, parse_quantity("-3"));
  EXPECT_EQ(9223372036854775807.0L, parse_quantity("9223372036854775807"));
  for (const char* bad : {"", "Gi", "1 Gi", "1gi", "1..2", "e3", "1e", "1e99", "x"}) EXPECT_FALSE(parse_quantity(bad)) << bad;
}

struct Case {
  const char* conditions;
  bool skips;
};

class Conditions : public testing::TestWithParam<Case> {};

// One volume: 5 GiB of NFS, class fast, claimed.
TEST_P(Conditions, OfOneVolume) {
  PolicyVolume v;
  v.take_volume(object(R"({"spec":{"capacity":{"storage":"5Gi"},"storageClassName":"fast","claimRef":{"name":"c"},"nfs":{"server":"nas","path":"/x"}}})"));
  v.take_claim(object(R"({"metadata":{"labels":{"app":"db","tier":"1"}},"spec":{"volumeMode":"Filesystem","accessModes":["ReadWriteOnce","ReadOnlyMany"]},"status":{"phase":"Bound"}})"));
  const auto p = policies("version: v1\nvolumePolicies:\n- conditions: " + std::string(GetParam().conditions) + "\n  action: {type: skip}\n");
  ASSERT_TRUE(p) << p.error().message();
  EXPECT_EQ(GetParam().skips, p->skips(v)) << GetParam().conditions;
}

INSTANTIATE_TEST_SUITE_P(All, Conditions, testing::Values(
    Case{"{}", true}, Case{R"({capacity: "1Gi,10Gi"})", true}, Case{R"({capacity: "6Gi,"})", false}, Case{R"({capacity: "5Gi,"})", true},
    Case{R"({capacity: ",4Gi"})", false}, Case{R"({capacity: ",5Gi"})", true}, Case{"{storageClass: [slow, fast]}", true}, Case{"{storageClass: [slow]}", false},
    Case{"{nfs: {}}", true}, Case{"{nfs: {server: nas}}", true}, Case{"{nfs: {server: other}}", false}, Case{"{nfs: {path: /x, server: nas}}", true},
    Case{"{nfs: {path: /y}}", false}, Case{"{csi: {}}", false}, Case{"{volumeTypes: [csi, nfs]}", true}, Case{"{volumeTypes: [csi]}", false},
    Case{"{pvcLabels: {app: db}}", true}, Case{"{pvcLabels: {app: db, tier: \"2\"}}", false}, Case{"{pvcPhase: [Bound]}", true}, Case{"{pvcPhase: [Pending]}", false},
    Case{"{pvcVolumeMode: Filesystem}", true}, Case{"{pvcVolumeMode: Block}", false}, Case{"{pvcAccessModes: [ReadOnlyMany, ReadWriteOnce]}", true},
    Case{"{pvcAccessModes: [ReadWriteOnce]}", false}, Case{"{nfs: {}, storageClass: [slow]}", false}));

TEST(ResourcePolicies, LookIntoCsiVolumes) {
  PolicyVolume v;
  v.take_volume(object(R"({"spec":{"csi":{"driver":"d","volumeAttributes":{"kind":"fast"}}}})"));
  const auto skips = [&](const std::string& csi) { return policies("version: v1\nvolumePolicies:\n- conditions: {csi: " + csi + "}\n  action: {type: skip}\n")->skips(v); };
  EXPECT_TRUE(skips("{}"));
  EXPECT_TRUE(skips("{driver: d}"));
  EXPECT_FALSE(skips("{driver: e}"));
  EXPECT_TRUE(skips("{driver: d, volumeAttributes: {kind: fast}}"));
  EXPECT_FALSE(skips("{driver: d, volumeAttributes: {kind: slow}}"));
}

TEST(ResourcePolicies, WhatIsWrongIsNamed) {
  const auto why = [](const std::string& yaml) {
    const auto p = policies(yaml);
    return p ? "" : p.error().message();
  };
  EXPECT_EQ("incompatible version number \"v2\" with supported version v1", why("version: v2"));
  EXPECT_EQ("unknown field \"volumePolicy\"", why("version: v1\nvolumePolicy: []"));
  EXPECT_EQ("volumePolicies[0]: unknown field \"conditions.size\"", why("version: v1\nvolumePolicies: [{conditions: {size: 1}, action: {type: skip}}]"));
  EXPECT_EQ("volumePolicies[0]: invalid action type \"drop\"", why("version: v1\nvolumePolicies: [{conditions: {}, action: {type: drop}}]"));
  EXPECT_NE(std::string::npos, why("version: v1\nvolumePolicies: [{conditions: {}, action: {type: fs-backup}}]").find("does not save the data of volumes"));
  EXPECT_NE(std::string::npos, why("version: v1\nvolumePolicies: [{conditions: {capacity: \"10Gi,1Gi\"}, action: {type: skip}}]").find("illegal values for capacity"));
  EXPECT_NE(std::string::npos, why("version: v1\nvolumePolicies: [{conditions: {capacity: 10Gi}, action: {type: skip}}]").find("LOW,HIGH"));
  EXPECT_NE(std::string::npos, why("version: v1\nvolumePolicies: [{conditions: {csi: {volumeAttributes: {a: b}}}, action: {type: skip}}]").find("csi driver"));
  EXPECT_NE(std::string::npos, why("version: v1\nvolumePolicies: [{conditions: {pvcLabels: {a: 1}}, action: {type: skip}}]").find("pvcLabels"));
  EXPECT_EQ("cannot use '*' in includes or excludes filters in the policy", why("version: v1\nincludeExcludePolicy: {excludedClusterScopedResources: [\"*\"]}"));
  EXPECT_EQ("namespacedFilterPolicies is not supported by this server", why("version: v1\nnamespacedFilterPolicies: [{namespaces: [a]}]"));
  EXPECT_FALSE(ResourcePolicies::parse(json::object()));
  EXPECT_FALSE(policies("]"));
}

constexpr const char* kKinds = R"({"items":[{"versions":[{"version":"v1","resources":[
 {"resource":"pods","responseKind":{"kind":"Pod"},"scope":"Namespaced","verbs":["list"]},
 {"resource":"secrets","responseKind":{"kind":"Secret"},"scope":"Namespaced","verbs":["list"]},
 {"resource":"nodes","responseKind":{"kind":"Node"},"scope":"Cluster","verbs":["list"]}]}]}]})";

std::string collected(const std::string& spec_text, const std::string& yaml) {
  Discovery d;
  EXPECT_TRUE(d.add_aggregated(kKinds));
  std::vector<std::string> problems;
  BackupSpec spec = parse_backup_spec(object(spec_text), problems);
  spec.policies = *policies("version: v1\nincludeExcludePolicy: " + yaml);
  const ResourceFilter filter(spec, d, {"here"}, {});
  std::string out;
  for (auto [name, letter] : {std::pair{"nodes", 'N'}, {"pods", 'p'}, {"secrets", 's'}}) {
    if (filter.collects(*d.find(name))) out += letter;
  }
  return out;
}

TEST(ResourcePolicies, AddToTheFiltersOfTheBackup) {
  EXPECT_EQ("Np", collected("{}", "{excludedNamespaceScopedResources: [secret], includedClusterScopedResources: [nodes]}"));
  EXPECT_EQ("p", collected("{}", "{excludedNamespaceScopedResources: [secret], excludedClusterScopedResources: [nodes]}"));
  EXPECT_EQ("ps", collected(R"({"includedNamespaceScopedResources":["pods"]})", "{includedNamespaceScopedResources: [secrets], excludedNamespaceScopedResources: [pods]}"));
  EXPECT_EQ("p", collected(R"({"excludedNamespaceScopedResources":["secrets"]})", "{includedNamespaceScopedResources: [secrets, pods]}"));
}

TEST(VolumeReport, APolicyDeclinesWithoutAWord) {
  SystemClock clock;
  RunLog log(clock, "backup=x");
  std::vector<std::string> problems;
  BackupSpec spec = parse_backup_spec(object(R"({"snapshotVolumes":true,"defaultVolumesToFsBackup":true})"), problems);
  spec.policies = *policies("version: v1\nvolumePolicies:\n- conditions: {nfs: {}}\n  action: {type: skip}\n- conditions: {volumeTypes: [emptyDir]}\n  action: {type: skip}\n");
  VolumeReport report(spec, log);
  report.note_pod(object(R"({"metadata":{"namespace":"n","name":"p"},"spec":{"volumes":[{"name":"scratch","emptyDir":{}},{"name":"nas","persistentVolumeClaim":{"claimName":"on-nas"}},
      {"name":"disk","persistentVolumeClaim":{"claimName":"on-disk"}}]}})"));
  for (const char* name : {"nas", "disk"}) {
    report.note_claim(object(R"({"metadata":{"namespace":"n","name":"on-)" + std::string(name) + R"("},"spec":{"volumeName":")" + name + R"("}})"));
  }
  report.note_volume(object(R"({"metadata":{"name":"disk"},"spec":{"csi":{"driver":"d"}}})"));
  report.finish([](const std::string& name) -> Result<json::object> {  // it was not taken along
    EXPECT_EQ("nas", name);
    return object(R"({"metadata":{"name":"nas"},"spec":{"nfs":{"server":"s","path":"/"}}})");
  });
  EXPECT_EQ(2u, log.errors()) << log.results_json();  // the disk's claim, and the pod's volume on it
  EXPECT_EQ(0u, log.warnings());
  const json::value infos = json::parse(report.json_text());
  ASSERT_EQ(2u, infos.as_array().size());
  EXPECT_EQ("disk", infos.at(0).at("pvName").as_string());
  EXPECT_EQ(std::string::npos, std::string(infos.at(0).at("skippedReason").as_string()).find("policies"));
  EXPECT_NE(std::string::npos, std::string(infos.at(1).at("skippedReason").as_string()).find("resource policies"));
}

}  // namespace
}  // namespace holdfast::k8s
