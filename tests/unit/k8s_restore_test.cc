// What a restore takes out of an archive and what it makes of it, without a server.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "k8s/bucket/archive_reader.h"
#include "k8s/bucket/gzip_writer.h"
#include "k8s/restore/item_path.h"
#include "k8s/restore/item_transforms.h"
#include "k8s/restore/merge_patch.h"
#include "k8s/restore/restore_order.h"
#include "k8s/restore/restore_source.h"
#include "k8s/spec/labels.h"
#include "storage/base/random.h"
#include "tests/support/json_object.h"

namespace holdfast::k8s {
namespace {

struct Entry {
  std::string path, content;
  int type = AE_IFREG;
  std::string link;
};

// A tar.gz with these entries, whatever they are.
std::string packed(const std::vector<Entry>& entries) {
  std::string tar;
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open(a, &tar, nullptr, [](archive*, void* data, const void* bytes, size_t n) -> la_ssize_t {
    static_cast<std::string*>(data)->append(static_cast<const char*>(bytes), n);
    return static_cast<la_ssize_t>(n);
  }, nullptr);
  for (const Entry& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.path.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, 0755);
    if (e.type == AE_IFLNK) archive_entry_set_symlink(entry, e.link.c_str());
    else if (!e.link.empty()) archive_entry_set_hardlink(entry, e.link.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(e.content.size()));
    EXPECT_EQ(ARCHIVE_OK, archive_write_header(a, entry)) << e.path;
    archive_write_data(a, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(a);
  return gzip(tar);
}

GunzipStream::Source source_of(const std::string& bytes, size_t step) {
  return [&bytes, step, at = size_t{0}](MutableByteSpan out) mutable -> Result<size_t> {
    const size_t n = std::min({out.size(), bytes.size() - at, step});
    std::memcpy(out.data(), bytes.data() + at, n);
    at += n;
    return n;
  };
}

std::pair<std::map<std::string, std::string>, std::string> read(const std::string& bytes, size_t step = 1 << 20, ArchiveLimits limits = {}) {
  std::map<std::string, std::string> files;
  const auto done = read_archive(source_of(bytes, step), limits, [&](const std::string& path, std::string_view content) -> Result<void> {
    files[path] = content;
    return {};
  });
  return {std::move(files), done ? "" : done.error().message()};
}

TEST(Archives, AreReadWhole) {
  const std::string bytes = packed({{"metadata/version", "1.1.0\n"}, {"resources", "", AE_IFDIR}, {"resources/pods/namespaces/a/" + std::string(250, 'p') + ".json", "{}"}});
  for (const size_t step : {size_t{1}, size_t{17}, size_t{1} << 20}) {
    const auto [files, problem] = read(bytes, step);
    EXPECT_EQ("", problem);
    EXPECT_EQ((std::map<std::string, std::string>{{"metadata/version", "1.1.0\n"}, {"resources/pods/namespaces/a/" + std::string(250, 'p') + ".json", "{}"}}), files);
  }
  // Two gzip members read as one, as gzip itself does.
  std::string twice = packed({{"a/b", "1"}});
  const auto [files, problem] = read(gzip("") + twice);
  EXPECT_EQ("", problem);
  EXPECT_EQ(1u, files.size());
}

TEST(Archives, DamageIsNoticed) {
  SeededRandom random(7);
  std::string noise(100'000, '\0');
  random.fill(MutableByteSpan(reinterpret_cast<std::byte*>(noise.data()), noise.size()));
  const std::string bytes = packed({{"resources/configmaps/namespaces/a/b.json", noise}});
  ASSERT_EQ("", read(bytes).second);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{9}, bytes.size() / 2, bytes.size() - 9, bytes.size() - 1}) {
    EXPECT_NE("", read(bytes.substr(0, cut)).second) << cut;
  }
  for (size_t at = 10; at < bytes.size(); at += bytes.size() / 50) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    EXPECT_NE("", read(flipped).second) << at;
  }
  std::string trailer = bytes;
  trailer[bytes.size() - 6] = static_cast<char>(trailer[bytes.size() - 6] ^ 1);  // of the checksum at its end
  EXPECT_NE("", read(trailer).second);
  EXPECT_NE("", read(bytes + "more").second);
  EXPECT_NE("", read(gzip("no tar at all, but long enough to be looked at")).second);
  EXPECT_EQ("it is not a gzip file, or it is damaged", read("plain text, not packed").second);
}

TEST(Archives, WhatDoesNotBelongIsRefused) {
  EXPECT_EQ("the path \"../x\" leads out of it", read(packed({{"../x", "1"}})).second);
  EXPECT_EQ("the path \"a/../../x\" leads out of it", read(packed({{"a/../../x", "1"}})).second);
  EXPECT_EQ("the path \"/etc/passwd\" leads out of it", read(packed({{"/etc/passwd", "1"}})).second);
  EXPECT_EQ("\"a\" is not a file", read(packed({{"a", "", AE_IFLNK, "/etc/passwd"}})).second);
  EXPECT_EQ("\"b\" is not a file", read(packed({{"a", "1"}, {"b", "", AE_IFREG, "a"}})).second);
  EXPECT_EQ("\"a\" is not a file", read(packed({{"a", "", AE_IFIFO}})).second);
  ArchiveLimits limits;
  limits.entry_bytes = 100;
  EXPECT_EQ("\"a\" is larger than 100 bytes", read(packed({{"a", std::string(101, 'x')}}), 1 << 20, limits).second);
  limits = {};
  limits.total_bytes = 1 << 20;  // a bomb: some thousand bytes that become megabytes
  EXPECT_EQ("unpacked it is larger than 1048576 bytes", read(packed({{"a", std::string(8 << 20, 'x')}}), 1 << 20, limits).second);
  limits = {};
  limits.entries = 2;
  EXPECT_EQ("it has more than 2 entries", read(packed({{"a", "1"}, {"b", "1"}, {"c", "1"}}), 1 << 20, limits).second);
}

TEST(ItemPaths, AsVeleroLaysThemOut) {
  const auto parsed = [](const char* path) { return parse_item_path(path).value().value(); };
  EXPECT_EQ((ItemRef{"deployments.apps", "shop", "web"}), parsed("resources/deployments.apps/namespaces/shop/web.json"));
  EXPECT_EQ((ItemRef{"clusterroles.rbac.authorization.k8s.io", "", "system:a.b"}), parsed("resources/clusterroles.rbac.authorization.k8s.io/cluster/system:a.b.json"));
  EXPECT_EQ((ItemRef{"configmaps", "cluster", "namespaces"}), parsed("resources/configmaps/namespaces/cluster/namespaces.json"));
  for (const char* other : {"metadata/version", "resources/pods/v1-preferredversion/namespaces/a/b.json", "resources/crontabs.x/v2/cluster/b.json"}) {
    EXPECT_FALSE(parse_item_path(other).value()) << other;
  }
  for (const char* bad : {"", "x", "resources/pods", "resources/pods/namespaces/a", "resources/pods/namespaces/a/b", "resources/pods/namespaces/a/.json", "resources//namespaces/a/b.json",
                          "resources/pods/elsewhere/a/b.json", "resources/pods/cluster/a/b.json", "resources/pods/namespaces/a/b/c.json"}) {
    EXPECT_FALSE(parse_item_path(bad)) << bad;
  }
}

std::string item(const char* kind, const char* name_space, const std::string& name, const char* more = "") {
  const std::string place = *name_space != '\0' ? ",\"namespace\":\"" + std::string(name_space) + "\"" : "";
  return "{\"apiVersion\":\"v1\",\"kind\":\"" + std::string(kind) + "\",\"metadata\":{\"name\":\"" + name + "\"" + place + ",\"labels\":{\"app\":\"" + name + "\"}}" + more + "}";
}

const std::vector<Entry> kSmallTown{
    {"resources/namespaces/cluster/a.json", item("Namespace", "", "a")},
    {"resources/namespaces/cluster/b.json", item("Namespace", "", "b")},
    {"resources/namespaces/v1-preferredversion/cluster/b.json", item("Namespace", "", "b")},
    {"resources/pods/namespaces/a/p.json", item("Pod", "a", "p", R"(,"spec":{"priorityClassName":"high","volumes":[{"persistentVolumeClaim":{"claimName":"c"}}]})")},
    {"resources/persistentvolumeclaims/namespaces/a/c.json", item("PersistentVolumeClaim", "a", "c", R"(,"spec":{"volumeName":"v"},"status":{"phase":"Bound"})")},
    {"resources/persistentvolumes/cluster/v.json", item("PersistentVolume", "", "v", R"(,"spec":{"persistentVolumeReclaimPolicy":"Delete"})")},
    {"resources/priorityclasses.scheduling.k8s.io/cluster/high.json", item("PriorityClass", "", "high")},
    {"resources/configmaps/namespaces/b/m.json", item("ConfigMap", "b", "m")},
    {"resources/configmaps/namespaces/b/liar.json", item("ConfigMap", "a", "m")},
    {"resources/nodes/cluster/n.json", item("Node", "", "n")},
};

class Sources : public testing::Test {
 protected:
  Result<void> read(const char* spec_text, const std::vector<Entry>& entries = kSmallTown) {
    std::vector<std::string> problems;
    spec_ = parse_restore_spec(object(spec_text), problems);
    EXPECT_EQ(std::vector<std::string>(), problems);
    auto spool = ItemSpool::create(std::filesystem::temp_directory_path(), random_);
    EXPECT_TRUE(spool);
    source_ = std::make_unique<RestoreSource>(spec_, Discovery(), volumes_, std::move(*spool));
    bytes_ = packed(entries);
    return source_->read(source_of(bytes_, 1 << 20), {});
  }

  std::set<std::string> chosen() const {
    std::set<std::string> out;
    for (const auto& [name, kind] : source_->kinds()) {
      for (const SourceItem& i : kind.items) {
        if (i.chosen) out.insert(name + " " + i.path);
      }
    }
    EXPECT_EQ(out.size(), source_->chosen());
    return out;
  }

  SystemRandom random_;
  RestoreSpec spec_;
  std::vector<VolumeRecord> volumes_;
  std::unique_ptr<RestoreSource> source_;
  std::string bytes_;
};

using Names = std::set<std::string>;

TEST_F(Sources, TakeEverythingButWhatNoRestoreBringsBack) {
  ASSERT_TRUE(read(R"({"backupName":"b"})"));
  EXPECT_EQ((Names{"namespaces a", "namespaces b", "pods a/p", "persistentvolumeclaims a/c", "persistentvolumes v", "priorityclasses.scheduling.k8s.io high",
                   "configmaps b/m", "configmaps b/liar"}),
            chosen());
  EXPECT_TRUE(source_->provisioned_anew("v"));
  EXPECT_EQ((std::vector<std::string>{"a", "b"}), source_->namespaces());
  const auto loaded = source_->load(*source_->find({"configmaps", "b", "m"}));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(object(item("ConfigMap", "b", "m")), *loaded);
  EXPECT_EQ("in the backup there is another object under its name", source_->load(*source_->find({"configmaps", "b", "liar"})).error().message());
}

TEST_F(Sources, WhatAPodNeedsComesAlong) {
  ASSERT_TRUE(read(R"({"backupName":"b","labelSelector":{"matchLabels":{"app":"p"}}})"));
  EXPECT_EQ((Names{"pods a/p", "persistentvolumeclaims a/c", "persistentvolumes v", "priorityclasses.scheduling.k8s.io high"}), chosen());
  EXPECT_EQ(std::vector<std::string>{"a"}, source_->namespaces());
  ASSERT_TRUE(read(R"({"backupName":"b","includedResources":["pods"]})"));
  EXPECT_EQ(Names{"pods a/p"}, chosen());
  ASSERT_TRUE(read(R"({"backupName":"b","includedNamespaces":["a"],"excludedResources":["priorityclasses.scheduling.k8s.io"]})"));
  EXPECT_EQ((Names{"pods a/p", "persistentvolumeclaims a/c", "persistentvolumes v"}), chosen());
  ASSERT_TRUE(read(R"({"backupName":"b","includedNamespaces":["a"],"includeClusterResources":false})"));
  EXPECT_EQ((Names{"pods a/p", "persistentvolumeclaims a/c"}), chosen());
}

TEST_F(Sources, ClusterScopedObjectsComeWithAllNamespacesOrWhenAsked) {
  ASSERT_TRUE(read(R"({"backupName":"b","includedNamespaces":["b"]})"));
  EXPECT_EQ((Names{"configmaps b/m", "configmaps b/liar"}), chosen());
  ASSERT_TRUE(read(R"({"backupName":"b","excludedNamespaces":["a"],"includeClusterResources":true})"));
  EXPECT_EQ((Names{"namespaces a", "namespaces b", "persistentvolumes v", "priorityclasses.scheduling.k8s.io high", "configmaps b/m", "configmaps b/liar"}), chosen());
}

TEST_F(Sources, SavedVolumeDataIsKnown) {
  volumes_ = {{"a", "c", "", "", "v", "PodVolumeBackup"}, {"a", "gone", "", "", "w", "CSISnapshot"}, {"", "", "a", "p", "cache", "PodVolumeBackup"}, {"b", "x", "", "", "y", ""}};
  ASSERT_TRUE(read(R"({"backupName":"b"})"));
  ASSERT_EQ(2u, source_->volumes_with_data().size());
  EXPECT_EQ("a/c", source_->volumes_with_data()[0]->text());
  EXPECT_EQ("volume cache of pod a/p", source_->volumes_with_data()[1]->text());
  EXPECT_TRUE(source_->provisioned_anew("w"));
}

TEST_F(Sources, AnObjectThatIsThereTwiceIsAForgery) {
  std::vector<Entry> entries = kSmallTown;
  entries.push_back(kSmallTown.back());
  entries.push_back(entries[7]);
  EXPECT_EQ("\"resources/configmaps/namespaces/b/m.json\" is in it twice", read(R"({"backupName":"b"})", entries).error().message());
}

TEST(RestoreSpecs, ContradictionsAreNamed) {
  const auto problems = [](const char* text) {
    std::vector<std::string> out;
    parse_restore_spec(object(text), out);
    return out;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(Texts{"Either a backup or schedule must be specified as a source for the restore, but not both"}, problems("{}"));
  EXPECT_EQ(Texts{"Either a backup or schedule must be specified as a source for the restore, but not both"}, problems(R"({"backupName":"a","scheduleName":"b"})"));
  EXPECT_EQ(Texts{"Invalid ExistingResourcePolicy: patch"}, problems(R"({"backupName":"a","existingResourcePolicy":"patch"})"));
  EXPECT_EQ(Texts{"nodes are non-restorable resources"}, problems(R"({"backupName":"a","includedResources":["nodes"]})"));
  EXPECT_EQ(Texts{"namespaceMapping: \"B_\" is no name of a namespace"}, problems(R"({"backupName":"a","namespaceMapping":{"a":"B_"}})"));
  EXPECT_EQ(Texts{"namespaceMapping: a and b would both go to c"}, problems(R"({"backupName":"a","namespaceMapping":{"a":"c","b":"c"}})"));
  EXPECT_EQ(Texts{"encountered labelSelector as well as orLabelSelectors in restore spec, only one can be specified"},
            problems(R"({"backupName":"a","labelSelector":{"matchLabels":{"a":"b"}},"orLabelSelectors":[{"matchLabels":{"a":"b"}}]})"));
  EXPECT_EQ(Texts(), problems(R"({"backupName":"a","existingResourcePolicy":"update","namespaceMapping":{"a":"b"}})"));
}

json::object transformed(const char* kind, std::string_view text, const char* spec_text = R"({"backupName":"b","namespaceMapping":{"old":"new"}})") {
  std::vector<std::string> problems;
  const RestoreSpec spec = parse_restore_spec(object(spec_text), problems);
  json::object o = object(text);
  transform(kind, o, {&spec, [](const std::string& volume) { return volume == "gone"; }});
  return o;
}

TEST(Transforms, TakeOffWhatServersSet) {
  EXPECT_EQ(object(R"({"kind":"X","metadata":{"name":"n","namespace":"new","labels":{"a":"b"},"finalizers":["f"]},"spec":{"a":1}})"),
            transformed("things.example", R"({"kind":"X","metadata":{"name":"n","namespace":"old","labels":{"a":"b"},"finalizers":["f"],"uid":"u","resourceVersion":"1","generation":3,
              "creationTimestamp":"t","generateName":"n-","selfLink":"/x","deletionTimestamp":"t","deletionGracePeriodSeconds":1,"ownerReferences":[{}],"managedFields":[{}]},
              "spec":{"a":1},"status":{"x":1}})"));
}

TEST(Transforms, PodsForgetTheirNodeAndOldTokens) {
  const json::object o = transformed("pods", R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","priority":7,"serviceAccountName":"sa",
      "volumes":[{"name":"sa-token-x1"},{"name":"data"}],"containers":[{"volumeMounts":[{"name":"sa-token-x1"},{"name":"data"}]}],"initContainers":[{"name":"restore-wait"},{"name":"i"}]}})");
  EXPECT_EQ(object(R"({"serviceAccountName":"sa","volumes":[{"name":"data"}],"containers":[{"volumeMounts":[{"name":"data"}]}],"initContainers":[{"name":"i"}]})"), o.at("spec").as_object());
}

TEST(Transforms, ServicesKeepThePortsThatWereAskedFor) {
  const auto ports = [](std::string_view metadata, const char* spec = R"({"backupName":"b"})") {
    const json::object o = transformed("services", R"({"metadata":{"name":"s",)" + std::string(metadata) + R"("x":1},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"type":"NodePort",
        "ports":[{"name":"a","port":80,"protocol":"TCP","nodePort":30001},{"name":"b","port":81,"protocol":"TCP","nodePort":30002}]}})", spec);
    EXPECT_FALSE(o.at("spec").as_object().contains("clusterIP"));
    EXPECT_FALSE(o.at("spec").as_object().contains("clusterIPs"));
    std::vector<bool> kept;
    for (const json::value& p : o.at("spec").at("ports").as_array()) kept.push_back(p.as_object().contains("nodePort"));
    return kept;
  };
  using Kept = std::vector<bool>;
  EXPECT_EQ((Kept{false, false}), ports(""));
  EXPECT_EQ((Kept{true, true}), ports("", R"({"backupName":"b","preserveNodePorts":true})"));
  EXPECT_EQ((Kept{true, false}), ports(R"("annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"ports\":[{\"name\":\"a\",\"nodePort\":30001},{\"name\":\"b\"}]}}"},)"));
  EXPECT_EQ((Kept{false, true}), ports(R"("managedFields":[{"fieldsV1":{"f:spec":{"f:ports":{"k:{\"port\":81,\"protocol\":\"TCP\"}":{"f:nodePort":{}}}}}}],)"));
  EXPECT_EQ((Kept{false, false}), ports(R"("managedFields":[{"fieldsV1":{"f:spec":{"f:ports":{"k:{\"port\":1e89,\"protocol\":\"TCP\"}":{"f:nodePort":{}}}}}}],)"));
  EXPECT_EQ("None", transformed("services", R"({"metadata":{"name":"s"},"spec":{"clusterIP":"None","clusterIPs":["None"]}})").at("spec").at("clusterIP").as_string());
}

TEST(Transforms, VolumesAndClaimsBindAnew) {
  EXPECT_EQ(object(R"({"metadata":{"name":"c","annotations":{"mine":"1"}},"spec":{"storageClassName":"s"}})"),
            transformed("persistentvolumeclaims", R"({"metadata":{"name":"c","annotations":{"mine":"1","pv.kubernetes.io/bind-completed":"yes","volume.kubernetes.io/selected-node":"n"}},
              "spec":{"storageClassName":"s","volumeName":"gone"}})"));
  EXPECT_EQ("kept", transformed("persistentvolumeclaims", R"({"metadata":{"name":"c"},"spec":{"volumeName":"kept"}})").at("spec").at("volumeName").as_string());
  EXPECT_EQ(object(R"({"metadata":{"name":"v"},"spec":{"claimRef":{"name":"c","namespace":"new"}}})"),
            transformed("persistentvolumes", R"({"metadata":{"name":"v","annotations":{"pv.kubernetes.io/bound-by-controller":"yes"}},
              "spec":{"claimRef":{"name":"c","namespace":"old","uid":"u","resourceVersion":"1"}}})"));
}

TEST(Transforms, OthersAsVelero) {
  EXPECT_EQ(object(R"({"metadata":{"name":"j"},"spec":{"template":{"metadata":{"labels":{"app":"x"}}}}})"),
            transformed("jobs.batch", R"({"metadata":{"name":"j"},"spec":{"selector":{"matchLabels":{"controller-uid":"1","batch.kubernetes.io/controller-uid":"1"}},
              "template":{"metadata":{"labels":{"controller-uid":"1","batch.kubernetes.io/controller-uid":"1","app":"x"}}}}})"));
  EXPECT_EQ("new", transformed("clusterrolebindings.rbac.authorization.k8s.io", R"({"metadata":{"name":"b"},"subjects":[{"kind":"ServiceAccount","name":"s","namespace":"old"}]})")
                       .at("subjects").at(0).at("namespace").as_string());
  EXPECT_EQ("None", transformed("mutatingwebhookconfigurations.admissionregistration.k8s.io", R"({"apiVersion":"admissionregistration.k8s.io/v1","metadata":{"name":"w"},"webhooks":[{"sideEffects":"Some"}]})")
                        .at("webhooks").at(0).at("sideEffects").as_string());
  EXPECT_EQ(object(R"({"metadata":{"name":"s"},"secrets":[{"name":"mine"}]})"), transformed("serviceaccounts", R"({"metadata":{"name":"s"},"secrets":[{"name":"s-token-abcde"},{"name":"mine"}]})"));
  const json::object definition = transformed("customresourcedefinitions.apiextensions.k8s.io",
      R"({"apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"d"},"spec":{"preserveUnknownFields":true,"versions":[{"schema":{"openAPIV3Schema":{}}},{}]}})");
  EXPECT_EQ(object(R"({"preserveUnknownFields":false,"versions":[{"schema":{"openAPIV3Schema":{"x-kubernetes-preserve-unknown-fields":true}}},{}]})"), definition.at("spec").as_object());
}

TEST(LeftOut, WhatNoClusterWantsBack) {
  const auto why = [](const char* kind, const char* text) { return left_out(kind, object(text)).value_or(""); };
  EXPECT_EQ("the pod had ended: Succeeded", why("pods", R"({"status":{"phase":"Succeeded"}})"));
  EXPECT_EQ("", why("pods", R"({"status":{"phase":"Running"}})"));
  EXPECT_EQ("it is a mirror of a static pod", why("pods", R"({"metadata":{"annotations":{"kubernetes.io/config.mirror":"x"}}})"));
  EXPECT_EQ("it is a request that was answered", why("deletebackuprequests.velero.io", R"({"spec":{"backupName":"b"}})"));
  EXPECT_EQ("", why("schedules.velero.io", "{}"));
  EXPECT_EQ("the job had completed", why("jobs.batch", R"({"status":{"completionTime":"t"}})"));
  const char* token = R"({"type":"kubernetes.io/service-account-token","metadata":{"name":"sa-token-%","annotations":{"kubernetes.io/service-account.name":"sa"}}})";
  EXPECT_NE("", why("secrets", std::string(token).replace(std::string(token).find('%'), 1, "x2x2x").c_str()));
  EXPECT_EQ("", why("secrets", std::string(token).replace(std::string(token).find('%'), 1, "mine-and-long").c_str()));
}

TEST(RestoreOrder, WavesKeepControllersApart) {
  const auto waves = restore_waves({"widgets.example", "deployments.apps", "pods", "replicasets.apps", "validatingwebhookconfigurations.admissionregistration.k8s.io", "statefulsets.apps",
                                    "clusters.cluster.x-k8s.io", "namespaces", kDefinitions, "secrets"});
  using Waves = std::vector<std::vector<std::string>>;
  EXPECT_EQ((Waves{{kDefinitions}, {"namespaces"}, {"secrets"}, {"pods"}, {"replicasets.apps"}, {"deployments.apps"}, {"widgets.example", "statefulsets.apps"},
                   {"clusters.cluster.x-k8s.io"}, {"validatingwebhookconfigurations.admissionregistration.k8s.io"}}),
            waves);
}

TEST(MergePatches, MakeOneOfTheOther) {
  const auto check = [](const char* from, const char* to, const char* patch) {
    const json::object made = merge_patch(object(from), object(to));
    EXPECT_EQ(object(patch), made);
    json::value document = object(from);
    apply_merge_patch(document, made);
    EXPECT_EQ(json::value(object(to)), document);
  };
  check(R"({"a":1,"b":{"c":[1,2],"d":2}})", R"({"a":1,"b":{"c":[2],"e":{"f":1}}})", R"({"b":{"c":[2],"e":{"f":1},"d":null}})");
  check(R"({"a":1})", R"({"a":1})", "{}");
  check(R"({"a":{"b":1}})", R"({"a":[1]})", R"({"a":[1]})");
}

TEST(LabelValues, AsVeleroShortensThem) {
  EXPECT_EQ(std::string(63, 'a'), label_value(std::string(63, 'a')));
  const std::string cut = label_value(std::string(64, 'a'));
  EXPECT_EQ(std::string(57, 'a') + "ffe054", cut);
}

}  // namespace
}  // namespace holdfast::k8s
