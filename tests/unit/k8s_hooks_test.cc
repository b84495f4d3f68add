// Hooks without a cluster: their specs and annotations, blocks, replies of exec, and what a failing one does.
#include <gtest/gtest.h>

#include "k8s/backup/hook_blocks.h"
#include "k8s/hooks/pod_backup_hooks.h"
#include "k8s/hooks/pod_restore_hooks.h"
#include "tests/support/json_object.h"

namespace holdfast::k8s {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

json::object pod(const std::string& name, const std::string& claim = {}, const std::string& annotations = "{}") {
  const std::string volumes = claim.empty() ? "" : R"({"name":"v","persistentVolumeClaim":{"claimName":")" + claim + R"("}})";
  return object(R"({"metadata":{"namespace":"shop","name":")" + name + R"(","labels":{"app":")" + name + R"("},"annotations":)" + annotations +
                R"(},"spec":{"volumes":[)" + volumes + R"(],"containers":[{"name":"main"},{"name":"side"}]},"status":{"phase":"Running"}})");
}

Texts words(const json::object& annotations, HookPhase phase) {
  Texts problems;
  const auto hook = backup_hook_of(annotations, phase, problems);
  return hook ? hook->command : Texts{};
}

TEST(HookSpecs, OfBackups) {
  Texts problems;
  const auto hooks = parse_backup_hooks(object(R"({"hooks":{"resources":[{"name":"freeze","includedNamespaces":["shop","s-*"],"excludedNamespaces":["s-x"],
      "labelSelector":{"matchLabels":{"app":"db"}},"pre":[{"exec":{"container":"main","command":["a","b"],"onError":"Fail","timeout":"2m"}}],
      "post":[{"exec":{"command":["c"]}}]}]}})"), problems);
  EXPECT_EQ(Texts(), problems);
  ASSERT_EQ(1u, hooks.size());
  ASSERT_EQ(1u, hooks[0].pre.size());
  EXPECT_EQ((Texts{"a", "b"}), hooks[0].pre[0].command);
  EXPECT_EQ("main", hooks[0].pre[0].container);
  EXPECT_TRUE(hooks[0].pre[0].fail);
  EXPECT_EQ(120'000, hooks[0].pre[0].timeout_ms);
  EXPECT_FALSE(hooks[0].post.at(0).fail);
  EXPECT_EQ(30'000, hooks[0].post[0].timeout_ms);
  const auto covers = [&](const char* name_space, const char* labels) { return hooks[0].scope.covers(name_space, object(labels)); };
  EXPECT_TRUE(covers("shop", R"({"app":"db"})"));
  EXPECT_TRUE(covers("s-y", R"({"app":"db"})"));
  EXPECT_FALSE(covers("s-x", R"({"app":"db"})"));
  EXPECT_FALSE(covers("shop", R"({"app":"web"})"));
  EXPECT_FALSE(covers("mall", R"({"app":"db"})"));
}

TEST(HookSpecs, WhatIsWrongIsNamed) {
  const auto problem_of = [](const std::string& entry) {
    Texts problems;
    (void)parse_backup_hooks(object(R"({"hooks":{"resources":[{"name":"h"},)" + entry + "]}}"), problems);
    return problems.empty() ? "" : problems[0];
  };
  EXPECT_EQ("hooks.resources[1]: is no object", problem_of("7"));
  EXPECT_EQ("hooks.resources[1]: pre: command is required", problem_of(R"({"pre":[{"exec":{"container":"c"}}]})"));
  EXPECT_EQ("hooks.resources[1]: post: onError: \"Maybe\" is neither Continue nor Fail", problem_of(R"({"post":[{"exec":{"command":["x"],"onError":"Maybe"}}]})"));
  EXPECT_EQ("hooks.resources[1]: post: timeout: \"soon\" is not a duration", problem_of(R"({"post":[{"exec":{"command":["x"],"timeout":"soon"}}]})"));
  EXPECT_TRUE(problem_of(R"({"labelSelector":{"matchExpressions":[{"key":"a","operator":"Near"}]}})").starts_with("hooks.resources[1]: labelSelector: "));
  Texts problems;
  (void)parse_restore_hooks(object(R"({"hooks":{"resources":[{"name":"r","postHooks":[{"init":{"initContainers":[{"name":"i","image":"b"}]}}]}]}})"), problems);
  ASSERT_EQ(1u, problems.size());
  EXPECT_TRUE(problems[0].starts_with("invalid init container in restore hook \"r\": ")) << problems[0];
}

TEST(HookAnnotations, OfBackups) {
  EXPECT_EQ((Texts{"sync"}), words(object(R"({"pre.hook.backup.velero.io/command":"sync"})"), HookPhase::kPre));
  EXPECT_EQ((Texts{"sync"}), words(object(R"({"hook.backup.velero.io/command":"sync"})"), HookPhase::kPre));
  EXPECT_EQ(Texts(), words(object(R"({"hook.backup.velero.io/command":"sync"})"), HookPhase::kPost));
  EXPECT_EQ((Texts{"sh", "-c", "a b"}), words(object(R"({"post.hook.backup.velero.io/command":"[\"sh\",\"-c\",\"a b\"]"})"), HookPhase::kPost));
  EXPECT_EQ((Texts{"[broken"}), words(object(R"({"post.hook.backup.velero.io/command":"[broken"})"), HookPhase::kPost));
  EXPECT_EQ((Texts{"[1]"}), words(object(R"({"post.hook.backup.velero.io/command":"[1]"})"), HookPhase::kPost));
  Texts problems;
  const auto hook = backup_hook_of(object(R"({"pre.hook.backup.velero.io/command":"x","pre.hook.backup.velero.io/container":"side",
      "pre.hook.backup.velero.io/on-error":"Fail","pre.hook.backup.velero.io/timeout":"eternal"})"), HookPhase::kPre, problems);
  EXPECT_EQ("side", hook->container);
  EXPECT_TRUE(hook->fail);
  EXPECT_EQ(30'000, hook->timeout_ms);
  EXPECT_EQ(1u, problems.size());
}

TEST(HookAnnotations, OfRestores) {
  Texts problems;
  const auto hook = restore_hook_of(object(R"({"post.hook.restore.velero.io/command":"[\"load\"]","post.hook.restore.velero.io/wait-timeout":"5m",
      "post.hook.restore.velero.io/exec-timeout":"45s","post.hook.restore.velero.io/wait-for-ready":"true"})"), problems);
  EXPECT_EQ((Texts{"load"}), hook->command);
  EXPECT_EQ(45'000, hook->timeout_ms);
  EXPECT_EQ(300'000, hook->wait_timeout_ms);
  EXPECT_TRUE(hook->wait_for_ready);
  EXPECT_FALSE(restore_hook_of(json::object(), problems));
  EXPECT_FALSE(init_container_of(json::object(), "n"));
  EXPECT_EQ(object(R"({"name":"n","image":"b:1","command":["prepare"]})"),
            init_container_of(object(R"({"init.hook.restore.velero.io/container-image":"b:1","init.hook.restore.velero.io/command":"prepare"})"), "n"));
}

TEST(ExecReplies, ArePutTogether) {
  ExecReply good;
  EXPECT_FALSE(good.feed(""));
  EXPECT_FALSE(good.feed(std::string("\x01one ")));
  EXPECT_FALSE(good.feed(std::string("\x02", 1) + "bad"));
  EXPECT_FALSE(good.feed(std::string("\x01two")));
  EXPECT_FALSE(good.feed(std::string("\x09unknown")));
  EXPECT_TRUE(good.feed(std::string("\x03", 1) + R"({"status":"Success"})"));
  EXPECT_EQ("one two", good.output().out);
  EXPECT_EQ("bad", good.output().err);
  EXPECT_EQ("", good.output().problem);

  const auto problem_of = [](const std::string& status) {
    ExecReply reply;
    EXPECT_TRUE(reply.feed("\x03" + status));
    return reply.output().problem;
  };
  EXPECT_EQ("command terminated with exit code 7", problem_of(R"({"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}})"));
  EXPECT_EQ("no such file", problem_of(R"({"status":"Failure","message":"no such file"})"));
  EXPECT_NE("", problem_of("{}"));
  EXPECT_NE("", problem_of("\xff nonsense"));

  ExecReply loud;
  for (int i = 0; i < 100; ++i) (void)loud.feed("\x01" + std::string(1000, 'x'));
  EXPECT_EQ(64u << 10, loud.output().out.size());
  EXPECT_TRUE(loud.output().cut);
}

std::vector<Texts> names(std::vector<std::vector<ItemRef>> blocks) {
  std::vector<Texts> out;
  for (const auto& block : blocks) {
    for (Texts& t = out.emplace_back(); const ItemRef& ref : block) t.push_back(ref.name);
  }
  return out;
}

TEST(HookBlocks, JoinPodsByClaimsAndByOrder) {
  HookBlocks blocks;
  for (const auto& [name, claim] : std::vector<std::pair<std::string, std::string>>{{"a", "one"}, {"b", "two"}, {"c", "one"}, {"d", ""}, {"e", ""}}) {
    blocks.note(pod(name, claim));
    blocks.add(pod(name, claim), false);
  }
  blocks.add(pod("a", "one"), false);  // a page that came twice
  EXPECT_EQ((std::vector<Texts>{{"a", "c"}, {"b"}, {"d"}, {"e"}}), names(blocks.blocks()));

  HookBlocks bridged;
  json::object bridge = pod("between", "one");  // it mounts both, and has no hooks itself
  bridge["spec"].get_object()["volumes"].get_array().push_back(object(R"({"persistentVolumeClaim":{"claimName":"two"}})"));
  bridged.add(pod("a", "one"), false);
  bridged.add(pod("b", "two"), false);
  bridged.note(bridge);
  EXPECT_EQ((std::vector<Texts>{{"a", "b"}}), names(bridged.blocks()));

  HookBlocks ordered;
  ordered.add(pod("z"), true);
  ordered.add(pod("y", "one"), true);
  ordered.add(pod("x"), false);
  ordered.add(pod("w", "one"), false);
  EXPECT_EQ((std::vector<Texts>{{"z", "y", "w"}, {"x"}}), names(ordered.blocks()));
}

struct BackupStage {
  explicit BackupStage(const std::string& spec) {
    Texts problems;
    hooks.emplace(parse_backup_hooks(object(spec), problems), discovery,
                  [this](HookPhase, const PodCommand& c) -> Result<CommandOutput> {
                    ran.push_back(c.pod + "/" + c.container + ":" + c.command[0]);
                    if (c.command[0] == "lost") return error(Code::kUnavailable, "the line broke");
                    return CommandOutput{"out", "", false, c.command[0] == "bad" ? "command terminated with exit code 1" : ""};
                  }, log);
    EXPECT_EQ(Texts(), problems);
  }
  SystemClock clock;
  RunLog log{clock, "backup=x"};
  Discovery discovery;
  Texts ran;
  std::optional<PodBackupHooks> hooks;
};

TEST(PodBackupHooks, AnnotationsComeBeforeTheSpec) {
  BackupStage s(R"({"hooks":{"resources":[{"name":"h","pre":[{"exec":{"command":["spec-pre"]}}],"post":[{"exec":{"command":["spec-post"],"container":"side"}}]}]}})");
  const json::object own = pod("a", "", R"({"pre.hook.backup.velero.io/command":"own"})");
  EXPECT_TRUE(s.hooks->any_for(own));
  EXPECT_TRUE(s.hooks->run(HookPhase::kPre, own));
  EXPECT_TRUE(s.hooks->run(HookPhase::kPost, own));
  EXPECT_EQ((Texts{"a/main:own", "a/side:spec-post"}), s.ran);
  EXPECT_EQ(2u, s.hooks->attempted());
  EXPECT_EQ(0u, s.hooks->failed());
  EXPECT_EQ(0u, s.log.errors());
}

TEST(PodBackupHooks, OnlyAHookThatMustNotFailEndsTheOthers) {
  BackupStage s(R"({"hooks":{"resources":[{"name":"h","pre":[{"exec":{"command":["lost"]}},{"exec":{"command":["bad"],"onError":"Fail"}},{"exec":{"command":["never"]}}],
      "post":[{"exec":{"command":["x"],"container":"nowhere"}}]}]}})");
  EXPECT_FALSE(s.hooks->run(HookPhase::kPre, pod("a")));
  EXPECT_TRUE(s.hooks->run(HookPhase::kPost, pod("a")));
  EXPECT_EQ((Texts{"a/main:lost", "a/main:bad"}), s.ran);
  EXPECT_EQ(4u, s.hooks->attempted());
  EXPECT_EQ(3u, s.hooks->failed());
  const std::string results = s.log.results_json();
  for (const char* part : {"the line broke", "command terminated with exit code 1", "no such container"}) EXPECT_NE(std::string::npos, results.find(part)) << results;
}

TEST(PodBackupHooks, PodsThatHaveEndedAreLeftAlone) {
  BackupStage s(R"({"hooks":{"resources":[{"name":"h","pre":[{"exec":{"command":["x"],"onError":"Fail"}}]}]}})");
  json::object ended = pod("a");
  ended["status"].get_object()["phase"] = "Succeeded";
  EXPECT_TRUE(s.hooks->run(HookPhase::kPre, ended));
  EXPECT_EQ(Texts(), s.ran);
  BackupStage elsewhere(R"({"hooks":{"resources":[{"name":"h","includedResources":["deployments"],"pre":[{"exec":{"command":["x"]}}]}]}})");
  EXPECT_FALSE(elsewhere.hooks->any_for(pod("a")));
}

// Restored pods whose state the test sets.
struct RestoreStage {
  explicit RestoreStage(const std::string& spec, std::chrono::milliseconds longest_wait = 10'000ms) {
    Texts problems;
    RestoreHookParts parts;
    parts.runner = [this](const PodCommand& c) -> Result<CommandOutput> {
      std::lock_guard lock(mutex);
      ran.insert(c.pod + "/" + c.container + ":" + c.command[0]);
      return CommandOutput{"", "", false, c.command[0] == "bad" ? "command terminated with exit code 1" : ""};
    };
    parts.look_up = [this](const std::set<std::string>& wanted) -> Result<RestoredPods> {
      std::lock_guard lock(mutex);
      RestoredPods out;
      for (const auto& [name, live] : pods) {
        if (wanted.contains(name)) out[name] = std::make_shared<const json::object>(live);
      }
      return out;
    };
    parts.look_every = 2ms;
    parts.longest_wait = longest_wait;
    hooks.emplace(parse_restore_hooks(object(spec), problems), std::move(parts), log);
    EXPECT_EQ(Texts(), problems);
  }
  void show(const std::string& name, const std::string& status) {
    json::object live = pod(name);
    live["status"] = object(status);
    std::lock_guard lock(mutex);
    pods["shop/" + name] = std::move(live);
  }
  void finish() { hooks->finish([] { return true; }); }

  SystemClock clock;
  RunLog log{clock, "restore=x"};
  std::mutex mutex;
  std::map<std::string, json::object> pods;
  std::set<std::string> ran;
  std::optional<PodRestoreHooks> hooks;  // last: its threads use the rest
};

constexpr const char* kUp = R"({"phase":"Running","containerStatuses":[{"name":"main","ready":true,"state":{"running":{}}},{"name":"side","ready":false,"state":{"running":{}}}]})";
constexpr const char* kWaiting = R"({"phase":"Pending","containerStatuses":[{"name":"main","ready":false,"state":{"waiting":{}}}]})";

TEST(PodRestoreHooks, RunOnceTheirContainersAreUp) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["first"]}},{"exec":{"command":["second"],"container":"side"}}]}]}})");
  s.show("a", kWaiting);
  s.show("b", kUp);
  s.hooks->add(pod("a"));
  s.hooks->add(pod("b", "", R"({"post.hook.restore.velero.io/command":"own","post.hook.restore.velero.io/wait-for-ready":"true"})"));
  s.show("a", kUp);
  s.finish();
  EXPECT_EQ((std::set<std::string>{"a/main:first", "a/side:second", "b/main:own"}), s.ran);
  EXPECT_EQ(3u, s.hooks->attempted());
  EXPECT_EQ(0u, s.hooks->failed());
}

TEST(PodRestoreHooks, WhatCannotRunIsAnError) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["x"]}}]}]}})", 20ms);
  s.show("ended", R"({"phase":"Failed"})");
  s.show("never", kWaiting);
  for (const char* name : {"ended", "gone", "never"}) s.hooks->add(pod(name));
  s.hooks->add(pod("odd", "", R"({"post.hook.restore.velero.io/command":"x","post.hook.restore.velero.io/container":"nowhere"})"));
  s.finish();
  EXPECT_EQ(std::set<std::string>(), s.ran);
  EXPECT_EQ(4u, s.hooks->failed());
  const std::string results = s.log.results_json();
  for (const char* part : {"entered phase Failed", "was deleted", "did not come up in time", "no such container"}) EXPECT_NE(std::string::npos, results.find(part)) << results;
}

TEST(PodRestoreHooks, AWaitTimeoutEndsTheWaiting) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["x"],"waitTimeout":"10ms"}}]}]}})");
  s.show("never", kWaiting);
  s.hooks->add(pod("never"));
  s.finish();
  EXPECT_EQ(1u, s.hooks->failed());
}

TEST(PodRestoreHooks, AHookThatMustNotFailEndsTheOthers) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["bad"],"onError":"Fail"}},{"exec":{"command":["behind"]}}]}]}})");
  s.show("a", kUp);
  s.show("waits", kWaiting);
  s.hooks->add(pod("a"));
  s.hooks->add(pod("waits"));
  s.finish();
  EXPECT_EQ((std::set<std::string>{"a/main:bad"}), s.ran);
  EXPECT_EQ(4u, s.hooks->attempted());
  EXPECT_EQ(4u, s.hooks->failed());
}

TEST(PodRestoreHooks, AFailureThatIsAllowedDoesNot) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["bad"]}},{"exec":{"command":["behind"]}}]}]}})");
  s.show("a", kUp);
  s.hooks->add(pod("a"));
  s.finish();
  EXPECT_EQ((std::set<std::string>{"a/main:bad", "a/main:behind"}), s.ran);
  EXPECT_EQ(1u, s.hooks->failed());
}

TEST(PodRestoreHooks, AStopEndsTheWaiting) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","postHooks":[{"exec":{"command":["x"]}}]}]}})");
  s.show("never", kWaiting);
  s.hooks->add(pod("never"));
  s.hooks->finish([] { return false; });
  EXPECT_EQ(1u, s.hooks->failed());
  EXPECT_NE(std::string::npos, s.log.results_json().find("the server was stopped"));
}

TEST(PodRestoreHooks, InitContainersStandInFront) {
  RestoreStage s(R"({"hooks":{"resources":[{"name":"h","includedNamespaces":["new"],"postHooks":[{"init":{"initContainers":[{"name":"i","image":"b","command":["c"]}]}}]}]}})");
  json::object p = pod("a");
  p["spec"].get_object()["initContainers"] = json::array{json::object{{"name", "was"}}};
  s.hooks->prepare(p, "old", "made-up");
  EXPECT_EQ(1u, p["spec"].at("initContainers").as_array().size());
  s.hooks->prepare(p, "new", "made-up");
  ASSERT_EQ(2u, p["spec"].at("initContainers").as_array().size());
  EXPECT_EQ("i", p["spec"].at("initContainers").at(0).at("name").as_string());
  EXPECT_EQ("was", p["spec"].at("initContainers").at(1).at("name").as_string());
  json::object annotated = pod("b", "", R"({"init.hook.restore.velero.io/container-image":"busy"})");
  s.hooks->prepare(annotated, "new", "made-up");
  EXPECT_EQ("made-up", annotated["spec"].at("initContainers").at(0).at("name").as_string());
}

}  // namespace
}  // namespace holdfast::k8s
