// The pieces of the Kubernetes client that need no server.
#include <gtest/gtest.h>

#include "k8s/client/api_error.h"
#include "k8s/client/credentials.h"
#include "k8s/client/discovery.h"
#include "k8s/client/list_splitter.h"
#include "storage/base/bytes.h"
#include "storage/base/times.h"

namespace holdfast::k8s {
namespace {

std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {cluster: c, user: u}\n"
         "- name: there\n  context: {cluster: c, user: nobody}\nclusters:\n- name: c\n  cluster: " + cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}

Result<std::string> no_file(const std::string& name) { return error(Code::kNotFound, "cannot read " + name); }

Result<ClusterAccess> parse(const std::string& cluster, const std::string& user, const std::string& context = "") {
  return parse_kubeconfig(kubeconfig(cluster, user), context, no_file);
}

const std::string kServer = "{server: 'https://k:6443/', certificate-authority-data: Y2E=}";

TEST(Kubeconfig, TakesDataTokensAndPlugins) {
  const auto a = parse(kServer, "{client-certificate-data: Y2VydA==, client-key-data: a2V5}");
  ASSERT_TRUE(a) << a.error().message();
  EXPECT_EQ("https://k:6443", a->server);
  EXPECT_EQ("ca", a->ca_pem);
  EXPECT_EQ("cert", a->certificate_pem);
  EXPECT_EQ("key", a->key_pem);
  const auto b = parse("{server: 'https://k', tls-server-name: other, proxy-url: 'http://p:1'}",
                       "{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], env: [{name: A, value: b}], provideClusterInfo: true}}");
  ASSERT_TRUE(b) << b.error().message();
  ASSERT_TRUE(b->exec);
  EXPECT_EQ((std::vector<std::string>{"eks", "get-token"}), b->exec->arguments);
  EXPECT_TRUE(b->exec->provide_cluster_info);
  const auto again = access_from_stored(stored_text(*b));
  ASSERT_TRUE(again);
  EXPECT_EQ(stored_text(*b), stored_text(*again));
  EXPECT_EQ("other", again->tls_server_name);
  EXPECT_EQ("http://p:1", again->proxy_url);
  EXPECT_EQ((std::pair<std::string, std::string>{"A", "b"}), again->exec->environment.at(0));
}

TEST(Kubeconfig, FilesAreTakenInAndTokenFilesAreNot) {
  const FileReader files = [](const std::string& name) -> Result<std::string> { return "content of " + name; };
  const auto a = parse_kubeconfig(kubeconfig("{server: 'https://k', certificate-authority: ca.crt}", "{tokenFile: /var/token, token: older}"), "", files);
  ASSERT_TRUE(a);
  EXPECT_EQ("content of ca.crt", a->ca_pem);
  EXPECT_EQ("/var/token", a->token_file);
  EXPECT_EQ("", a->token);
}

TEST(Kubeconfig, SaysWhatIsWrong) {
  const std::string token = "{token: t}";
  const struct {
    Result<ClusterAccess> result;
    const char* words;
  } cases[] = {
      {parse(kServer, "{}"), "the user has no certificate, token or exec plugin"},
      {parse(kServer, "{token: 'a b'}"), "blanks"},
      {parse(kServer, "{client-certificate-data: Y2VydA==}"), "needs its key"},
      {parse(kServer, "{client-certificate-data: '***', client-key-data: a2V5}"), "client-certificate-data is not base64"},
      {parse(kServer, "{client-certificate: c.crt, client-key: c.key}"), "client-certificate: cannot read c.crt"},
      {parse(kServer, "{username: u, password: p}"), "password is not supported"},
      {parse(kServer, "{auth-provider: {name: gcp}}"), "auth-provider is not supported"},
      {parse(kServer, "{as: root, token: t}"), "impersonation"},
      {parse(kServer, "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}"), "v1alpha1\" is not supported"},
      {parse(kServer, token, "there"), "there is no user \"nobody\""},
      {parse(kServer, token, "elsewhere"), "there is no context \"elsewhere\""},
      {parse("{server: 'http://k'}", token), "without TLS"},
      {parse("{server: 'https://u@k'}", token), "not an https URL"},
      {parse("{server: 'https://k', insecure-skip-tls-verify: true}", token), "insecure-skip-tls-verify"},
      {parse("{server: 'https://k', certificate-authority-data: //79/A==}", token), "not PEM"},
      {parse_kubeconfig("a: [b", "", no_file), "line 1"},
      {parse_kubeconfig("[]", "", no_file), "not a YAML map"},
      {parse_kubeconfig("{}", "", no_file), "no current-context"},
  };
  for (const auto& c : cases) {
    ASSERT_FALSE(c.result) << c.words;
    EXPECT_NE(std::string::npos, c.result.error().message().find(c.words)) << c.result.error().message();
  }
}

TEST(ExecCredential, IsReadWithItsExpiry) {
  const auto a = parse_exec_credential(R"({"status":{"token":"t\n","expirationTimestamp":"2026-01-02T03:04:05Z"}})");
  ASSERT_TRUE(a);
  EXPECT_EQ("t", a->credential.bearer_token);
  EXPECT_EQ(*parse_iso8601("2026-01-02T03:04:05Z"), a->expires_ms);
  for (const char* bad : {"", "{}", R"({"status":{}})", R"({"status":{"token":""}})", R"({"status":{"token":"t","expirationTimestamp":"soon"}})"}) {
    EXPECT_FALSE(parse_exec_credential(bad)) << bad;
  }
}

TEST(ExecPlugin, RunsWithItsEnvironmentAndFailsByName) {
  ExecPlugin plugin{"client.authentication.k8s.io/v1", "/bin/sh",
                    {"-c", "test -n \"$KUBERNETES_EXEC_INFO\" && printf '{\"status\":{\"token\":\"%s\"}}' \"$WHO\""}, {{"WHO", "me"}}, true};
  const auto a = run_exec_plugin(plugin, {});
  ASSERT_TRUE(a) << a.error().message();
  EXPECT_EQ("me", a->credential.bearer_token);
  plugin.arguments = {"-c", "exit 7"};
  EXPECT_NE(std::string::npos, run_exec_plugin(plugin, {}).error().message().find("/bin/sh failed"));
  plugin.command = "/nonexistent/plugin";
  EXPECT_EQ(Code::kNotFound, run_exec_plugin(plugin, {}).error().code());
}

struct Split {
  std::vector<std::string> items;
  std::string metadata, kind;
  Result<void> result;
};

Split split(std::string_view text, size_t step, size_t max_item = 1 << 20) {
  Split out;
  ListSplitter splitter([&](std::string_view item) -> Result<void> {
    out.items.emplace_back(item);
    return {};
  }, max_item);
  for (size_t at = 0; at < text.size() && out.result; at += step) out.result = splitter.feed(text.substr(at, step));
  if (out.result) out.result = splitter.finish();
  out.metadata = splitter.metadata();
  out.kind = splitter.kind();
  return out;
}

TEST(ListSplitter, GivesItemsWhateverThePieces) {
  const std::string text = R"( {"kind":"ConfigMapList","other":{"items":[{"no":1}]},"metadata":{"continue":"a\"]}","n":[1]},)"
                           R"("items":[{"a":"}{\\\"[","b":[{},[]]} , {"c":{"items":[1]}}],"tail":[{"x":1}]} )";
  for (size_t step = 1; step <= text.size(); ++step) {
    const Split s = split(text, step);
    ASSERT_TRUE(s.result) << s.result.error().message();
    ASSERT_EQ((std::vector<std::string>{R"({"a":"}{\\\"[","b":[{},[]]})", R"({"c":{"items":[1]}})"}), s.items) << step;
    ASSERT_EQ(R"({"continue":"a\"]}","n":[1]})", s.metadata);
    ASSERT_EQ("\"ConfigMapList\"", s.kind);
  }
}

TEST(ListSplitter, RefusesWhatIsNoList) {
  for (const char* bad : {"[]", "x", "{\"items\":[1", "{\"items\":[[]]}", "{\"items\":[{}]]", "{}}", "{\"a\":1} {}"}) {
    EXPECT_FALSE(split(bad, 3).result) << bad;
  }
  EXPECT_EQ(Code::kUnavailable, split("{\"items\":[{}", 5).result.error().code());
  EXPECT_EQ(Code::kInvalidArgument, split("{\"items\":[{\"a\":\"" + std::string(100, 'x') + "\"}]}", 7, 64).result.error().code());
  EXPECT_FALSE(split("{\"a\":" + std::string(2000, '['), 100).result);
}

constexpr const char* kGroups = R"({"kind":"APIGroupDiscoveryList","items":[
 {"metadata":{"name":"apps"},"versions":[
  {"version":"v1","freshness":"Current","resources":[
   {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced","singularResource":"deployment","shortNames":["deploy"],"verbs":["list","get"],
    "subresources":[{"subresource":"status"}]},
   {"resource":"bindings","responseKind":{"kind":"Binding"},"scope":"Namespaced","singularResource":"binding","verbs":["create"]}]},
  {"version":"v1beta1","resources":[
   {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced","verbs":["list"]},
   {"resource":"olders","responseKind":{"kind":"Older"},"scope":"Cluster","verbs":["list"]}]}]},
 {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1","freshness":"Stale"}]}]})";

TEST(Discovery, TakesEachResourceInItsPreferredVersion) {
  Discovery d;
  ASSERT_TRUE(d.add_aggregated(kGroups));
  ASSERT_EQ(2u, d.resources().size());
  const ApiResource* deployments = d.find("deploy");
  ASSERT_NE(nullptr, deployments);
  EXPECT_EQ("apps/v1", deployments->api_version());
  EXPECT_EQ("/apis/apps/v1/namespaces/a%2Fb/deployments/x", deployments->path("a/b", "x"));
  for (const char* name : {"deployments", "Deployment", "deployments.apps", "deployment.apps"}) EXPECT_EQ(deployments, d.find(name)) << name;
  EXPECT_EQ(nullptr, d.find("deployments.extensions"));
  EXPECT_EQ("/apis/apps/v1beta1/olders", d.find("olders")->path());
  EXPECT_EQ(deployments, d.find_kind("apps/v1", "Deployment"));
  ASSERT_EQ(1u, d.missing().size());
  EXPECT_EQ("metrics.k8s.io/v1", d.missing()[0].group_version);
}

TEST(ApiErrors, CarryTheServersWords) {
  const auto of = [](unsigned status, const char* body) { return api_error("GET /x", status, object_or_empty(body)); };
  EXPECT_EQ(Code::kAlreadyExists, of(409, R"({"reason":"AlreadyExists","message":"it exists"})").code());
  EXPECT_EQ(Code::kFailedPrecondition, of(409, R"({"reason":"Conflict"})").code());
  EXPECT_TRUE(of(410, "{}").is(Code::kFailedPrecondition, Subject::kVersion));
  EXPECT_EQ("GET /x: it is forbidden", of(403, R"({"message":"it is forbidden"})").message());
  EXPECT_EQ("GET /x: status 502", of(502, "<html>").message());
  EXPECT_TRUE(of(429, "").retryable());
}

}  // namespace
}  // namespace holdfast::k8s
