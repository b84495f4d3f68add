// Patches, and the resource modifiers of a restore that are made of them.
#include <gtest/gtest.h>

#include "k8s/restore/json_patch.h"
#include "k8s/restore/resource_modifiers.h"
#include "k8s/restore/strategic_patch.h"
#include "k8s/yaml_json.h"
#include "tests/support/json_object.h"

namespace holdfast::k8s {
namespace {

TEST(Yaml, IsAnotherWayToWriteJson) {
  const auto read = [](const char* text) { return json_of_yaml(text).value(); };
  EXPECT_EQ(json::value(object(R"({"a":[1,-2,1.5,true,null,"x","1","true"],"b":{"c":""},"d":null,"e":"line\n"})")),
            read("a: [1, -2, 1.5, true, null, x, \"1\", 'true']\nb: {c: ''}\nd:\ne: |\n  line\n"));
  EXPECT_EQ(json::value("yes"), read("yes"));
  for (const char* bad : {"a: [", "a: 1\na: 2", "a: 1\n---\nb: 2", "? [x]\n: y", "a: &x [*x]"}) EXPECT_FALSE(json_of_yaml(bad)) << bad;
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int n = 0; n < 9; ++n) bomb += "," + before;
    bomb += "]\n";
  }
  EXPECT_FALSE(json_of_yaml(bomb));
  EXPECT_FALSE(json_of_yaml(std::string(500, '[') + std::string(500, ']')));
}

// https://datatracker.ietf.org/doc/html/rfc6902#appendix-A
TEST(JsonPatches, DoWhatTheRfcSays) {
  const auto patched = [](const char* document, const JsonPatchStep& step) {
    json::object o = object(document);
    const auto done = apply_json_patch(o, {step});
    return done ? json::serialize(o) : done.error().message();
  };
  EXPECT_EQ(R"({"foo":["bar","qux","baz"]})", patched(R"({"foo":["bar","baz"]})", {"add", "", "/foo/1", "qux"}));
  EXPECT_EQ(R"({"foo":["bar",1]})", patched(R"({"foo":["bar"]})", {"add", "", "/foo/-", 1}));
  EXPECT_EQ(R"({"foo":"bar","child":{"x":1}})", patched(R"({"foo":"bar"})", {"add", "", "/child", json::object{{"x", 1}}}));
  EXPECT_EQ(R"({"foo":["bar","baz"]})", patched(R"({"foo":["bar","qux","baz"]})", {"remove", "", "/foo/1", nullptr}));
  EXPECT_EQ(R"({"a/b":2,"c~d":1})", patched(R"({"a/b":1,"c~d":1})", {"replace", "", "/a~1b", 2}));
  EXPECT_EQ(R"({"a/b":1,"c~d":2})", patched(R"({"a/b":1,"c~d":1})", {"replace", "", "/c~0d", 2}));
  EXPECT_EQ(object(R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"),
            object(patched(R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})", {"move", "/foo/waldo", "/qux/thud", nullptr})));
  EXPECT_EQ(R"({"foo":["all","cows","eat","grass"]})", patched(R"({"foo":["all","grass","cows","eat"]})", {"move", "/foo/1", "/foo/3", nullptr}));
  EXPECT_EQ(object(R"({"a":{"b":[1]},"c":[1]})"), object(patched(R"({"a":{"b":[1]}})", {"copy", "/a/b", "/c", nullptr})));
  EXPECT_EQ(R"({"a":10})", patched(R"({"a":10})", {"test", "", "/a", 10}));
  EXPECT_EQ("test /a: it is something else", patched(R"({"a":"10"})", {"test", "", "/a", 10}));
  EXPECT_EQ("test /b: there is nothing there", patched(R"({"a":1})", {"test", "", "/b", 1}));
  EXPECT_EQ("remove /b: there is nothing at /b", patched(R"({"a":1})", {"remove", "", "/b", nullptr}));
  EXPECT_EQ("replace /a/b: there is nothing there", patched(R"({"a":1})", {"replace", "", "/a/b", 1}));
  EXPECT_EQ("add /baz/bat: there is no such place", patched(R"({"foo":"bar"})", {"add", "", "/baz/bat", 1}));
  EXPECT_EQ("add /a/5: there is no such place", patched(R"({"a":[1]})", {"add", "", "/a/5", 1}));
  EXPECT_EQ("move /a/b: a value cannot be moved into itself", patched(R"({"a":{"b":1}})", {"move", "/a", "/a/b", nullptr}));
  json::object o = object(R"({"a":1,"b":2})");
  EXPECT_FALSE(apply_json_patch(o, {{"remove", "", "/a", nullptr}, {"remove", "", "/x", nullptr}}));
  EXPECT_EQ(object(R"({"a":1,"b":2})"), o);  // all or nothing
}

TEST(StrategicPatches, MergeListsByTheirKeys) {
  const auto patched = [](const char* document, const char* patch) {
    json::object o = object(document);
    const auto done = apply_strategic_patch(o, object(patch));
    return done ? o : json::object{{"error", done.error().message()}};
  };
  const char* deployment = R"({"apiVersion":"apps/v1","spec":{"replicas":1,"template":{"spec":{"containers":[
      {"name":"a","image":"x","ports":[{"containerPort":80}],"env":[{"name":"E","value":"1"}]},{"name":"b","image":"y"}],"tolerations":[{"key":"k"}]}}}})";
  EXPECT_EQ(object(R"({"apiVersion":"apps/v1","spec":{"replicas":1,"template":{"spec":{"containers":[
      {"name":"a","image":"z","ports":[{"containerPort":80},{"containerPort":81}],"env":[{"name":"E","value":"2"}]},{"name":"c"}],"tolerations":[{"key":"n"}]}}}})"),
            patched(deployment, R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"z","ports":[{"containerPort":81}],"env":[{"name":"E","value":"2"}]},
              {"name":"b","$patch":"delete"},{"name":"c"}],"tolerations":[{"key":"n"}]}}}})"));
  EXPECT_EQ(object(R"({"apiVersion":"v1","spec":{"ports":[{"port":80,"name":"x"},{"port":81}]}})"),
            patched(R"({"apiVersion":"v1","spec":{"ports":[{"port":80}]}})", R"({"spec":{"ports":[{"port":80,"name":"x"},{"port":81}]}})"));
  EXPECT_EQ(object(R"({"apiVersion":"v1","metadata":{"finalizers":["b","c"],"labels":{"x":"1"}},"a":{"only":1}})"),
            patched(R"({"apiVersion":"v1","metadata":{"finalizers":["a","b"],"labels":{"x":"1","y":"2"}},"a":{"old":1}})",
                    R"({"metadata":{"finalizers":["c"],"$deleteFromPrimitiveList/finalizers":["a"],"labels":{"y":null}},"a":{"$patch":"replace","only":1}})"));
  EXPECT_EQ(object(R"({"error":"an entry of containers has no name"})"), patched(deployment, R"({"spec":{"template":{"spec":{"containers":[{"image":"z"}]}}}})"));
  EXPECT_EQ(object(R"({"error":"strategic patches are for built-in kinds, not for Lamp"})"), patched(R"({"apiVersion":"town.example/v1","kind":"Lamp"})", R"({"a":1})"));
  EXPECT_EQ(object(R"({"error":"the directive $setElementOrder/x is not supported"})"), patched(deployment, R"({"$setElementOrder/x":[]})"));
}

TEST(ResourceGlobs, StopAtDots) {
  EXPECT_EQ("[^.]*\\.apps", regex_of_resource_glob("*.apps"));
  EXPECT_EQ(".*", regex_of_resource_glob("**"));
  EXPECT_EQ("(?:jobs|cronjobs)\\.batch", regex_of_resource_glob("{jobs,cronjobs}.batch"));
}

Result<ResourceModifiers> modifiers(const std::string& yaml) { return ResourceModifiers::parse({{"data", json::object{{"rules.yaml", yaml}}}}); }

std::string modified(const std::string& yaml, const char* kind, const char* text) {
  const auto m = modifiers(yaml);
  EXPECT_TRUE(m) << (m ? "" : m.error().message());
  if (!m) return "";
  json::object o = object(text);
  const auto done = m->apply(kind, o);
  return done ? json::serialize(o) : done.error().message();
}

const char* const kClaim = R"({"metadata":{"name":"mysql-1","namespace":"bar","labels":{"app":"x"}},"spec":{"storageClassName":"premium"}})";

TEST(ResourceModifiersTest, ChangeWhatFulfilsTheirConditions) {
  const std::string rule = R"(version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    resourceNameRegex: "^mysql.*$"
    namespaces: [bar, foo]
    labelSelector: {matchLabels: {app: x}}
    matches: [{path: /spec/storageClassName, value: premium}]
  patches:
  - {operation: replace, path: /spec/storageClassName, value: standard}
  - {operation: add, path: /spec/count, value: "3"}
  - {operation: add, path: /spec/text, value: '"3"'}
)";
  EXPECT_EQ(R"({"metadata":{"name":"mysql-1","namespace":"bar","labels":{"app":"x"}},"spec":{"storageClassName":"standard","count":3,"text":"3"}})",
            json::serialize(object(modified(rule, "persistentvolumeclaims", kClaim))));
  const auto untouched = [&](const char* kind, std::string text) { EXPECT_EQ(json::serialize(object(text)), modified(rule, kind, text.c_str())) << kind << text; };
  untouched("persistentvolumes", kClaim);
  const auto with = [](const char* from, const char* to) {
    std::string text = kClaim;
    return text.replace(text.find(from), std::string(from).size(), to);
  };
  untouched("persistentvolumeclaims", with("mysql-1", "pg-1"));
  untouched("persistentvolumeclaims", with("\"bar\"", "\"baz\""));
  untouched("persistentvolumeclaims", with("\"x\"", "\"y\""));
  untouched("persistentvolumeclaims", with("premium", "gold"));
  untouched("persistentvolumeclaims", with("storageClassName", "other"));
}

TEST(ResourceModifiersTest, ConditionsSeeTheUnmodifiedObject) {
  EXPECT_EQ(R"({"metadata":{"name":"a"},"data":{"k":"2","second":"yes"}})", modified(R"(version: v1
resourceModifierRules:
- conditions: {groupResource: configmaps}
  patches: [{operation: replace, path: /data/k, value: '"2"'}]
- conditions: {groupResource: configmaps, matches: [{path: /data/k, value: '"1"'}]}
  mergePatches: [{patchData: '{"data": {"second": "yes", "gone": null}}'}]
- conditions: {groupResource: configmaps, matches: [{path: /data/k, value: '"2"'}]}
  mergePatches: [{patchData: 'data: {third: never}'}]
)", "configmaps", R"({"metadata":{"name":"a"},"data":{"k":"1","gone":"x"}})"));
}

TEST(ResourceModifiersTest, FailuresNameTheRule) {
  const char* config_map = R"({"metadata":{"name":"a"},"data":{}})";
  EXPECT_EQ("resource modifier, rule 1: remove /data/x: there is nothing at /data/x", modified(
      "version: v1\nresourceModifierRules: [{conditions: {groupResource: configmaps}, patches: [{operation: remove, path: /data/x}]}]", "configmaps", config_map));
  // A test that does not hold is no failure.
  EXPECT_EQ(config_map, modified("version: v1\nresourceModifierRules: [{conditions: {groupResource: configmaps}, patches: [{operation: test, path: /metadata/name, value: b}, "
                                 "{operation: remove, path: /data}]}]", "configmaps", config_map));
  EXPECT_EQ("resource modifier: it takes the object's name away", modified(
      "version: v1\nresourceModifierRules: [{conditions: {groupResource: configmaps}, mergePatches: [{patchData: 'metadata:'}]}]", "configmaps", config_map));
}

TEST(ResourceModifiersTest, WhatIsWrongIsNamed) {
  const auto problem = [](const std::string& yaml) { return modifiers(yaml).error().message(); };
  const std::string head = "version: v1\nresourceModifierRules: ";
  EXPECT_EQ("unsupported resource modifier version v2", problem("version: v2\nresourceModifierRules: []"));
  EXPECT_EQ("resource modifier rules cannot be empty", problem(head + "[]"));
  EXPECT_EQ("unknown field \"rules\"", problem("version: v1\nrules: []"));
  EXPECT_EQ("rule 1: groupResource cannot be empty", problem(head + "[{conditions: {}, patches: [{operation: remove, path: /a}]}]"));
  EXPECT_EQ("rule 1: unknown field \"conditions.kind\"", problem(head + "[{conditions: {kind: x}}]"));
  EXPECT_EQ("rule 1: unsupported operation mangle", problem(head + "[{conditions: {groupResource: x}, patches: [{operation: mangle, path: /a}]}]"));
  EXPECT_EQ("rule 1: path cannot be empty", problem(head + "[{conditions: {groupResource: x}, patches: [{operation: add}]}]"));
  EXPECT_EQ("rule 1: no patch data found", problem(head + "[{conditions: {groupResource: x}}]"));
  EXPECT_EQ("rule 1: only one of patches, mergePatches, strategicPatches can be specified",
            problem(head + "[{conditions: {groupResource: x}, patches: [{operation: remove, path: /a}], mergePatches: [{patchData: '{}'}]}]"));
  EXPECT_TRUE(problem(head + "[{conditions: {groupResource: x, resourceNameRegex: '('}, patches: [{operation: remove, path: /a}]}]").starts_with("rule 1: resourceNameRegex: "));
  EXPECT_EQ("illegal resource modifiers: the ConfigMap must have one key", ResourceModifiers::parse(object(R"({"data":{"a":"","b":""}})")).error().message());
}

}  // namespace
}  // namespace holdfast::k8s
