"""An API server that is slow, throttled, cut off, restarted or gone in the middle of a backup."""

import gzip
import io
import json
import tarfile
import unittest
import urllib.parse

from api_proxy import ApiProxy
from harness import wait_until
from kube_cluster import ClusterTest

MANY = 1203


class FaultsTest(ClusterTest):
    cluster_name, cluster_index = "kube-faults", 10

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.daemon.s3()
        cls.cluster.create_config_maps("many", MANY)

    def setUp(self):
        self.proxy = ApiProxy(self.cluster, self.stage.directory)
        self.addCleanup(self.proxy.close)
        self.name = self.id().rsplit("_", 1)[-1].lower()
        self.add(self.name, {"token": "t"})

    def add(self, name, user):
        self.daemon.cli("cluster", "add", name, "--no-velero-objects", "--kubeconfig", str(self.proxy.kubeconfig(self.stage.directory / f"{name}.conf", user)))

    def back_up(self, backup, *arguments):
        done = self.daemon.cli("--output", "json", "backup", "create", backup, "--cluster", self.name, "--include-namespaces", "many",
                               "--include-resources", "configmaps,secrets", "--wait", *arguments, check=False)
        return json.loads(done.stdout)

    def keys(self, backup):
        listed = self.s3.list_objects_v2(Bucket="holdfast", Prefix=f"clusters/{self.name}/backups/{backup}/")
        uploads = self.s3.list_multipart_uploads(Bucket="holdfast", Prefix=f"clusters/{self.name}/backups/{backup}/")
        return [o["Key"] for o in listed.get("Contents", [])] + [u["Key"] for u in uploads.get("Uploads", [])]

    def assert_whole(self, backup):
        body = self.s3.get_object(Bucket="holdfast", Key=f"clusters/{self.name}/backups/{backup}/{backup}.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            names = [m.name for m in tar if m.name.startswith("resources/configmaps/namespaces/many/m")]
        self.assertEqual(sorted(f"resources/configmaps/namespaces/many/m{n:04}.json" for n in range(MANY)), sorted(names))

    def errors(self, backup):
        key = f"clusters/{self.name}/backups/{backup}/{backup}-results.gz"
        return json.dumps(json.loads(gzip.decompress(self.s3.get_object(Bucket="holdfast", Key=key)["Body"].read()))["errors"])

    def once_each(self, action, matches=lambda path: True):
        """Fails the first request for every path in that way."""
        failed = set()

        def rule(method, path, headers):
            if path in failed or not matches(path):
                return None
            failed.add(path)
            return action(path)
        return rule, failed

    def test_throttled(self):
        self.proxy.rule, failed = self.once_each(lambda path: ("status", 429, {"Retry-After": "1"}, {"kind": "Status", "message": "slow down"}))
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")
        self.assertGreater(len(failed), 4)

    def test_broken_now_and_then(self):
        codes = iter([500, 502, 503, 504] * 100)
        self.proxy.rule, failed = self.once_each(lambda path: ("status", next(codes), {}, {"kind": "Status"}))
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")
        self.assertGreater(len(failed), 4)

    def test_cut_in_mid_page(self):
        self.proxy.rule, failed = self.once_each(lambda path: ("cut", 60_000), lambda path: "configmaps" in path)
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")
        self.assertEqual(3, len(failed))  # pages

    def test_continue_token_expired(self):
        def expired(path):
            token = path.split("continue=")[1].split("&")[0]
            token = urllib.parse.unquote(token)
            return ("status", 410, {}, {"kind": "Status", "reason": "Expired", "message": "too old", "metadata": {"continue": token}})

        self.proxy.rule, failed = self.once_each(expired, lambda path: "configmaps" in path and "continue=" in path)
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")
        self.assertEqual(2, len(failed))

    def test_one_kind_forbidden(self):
        self.proxy.rule = lambda method, path, headers: (
            ("status", 403, {}, {"kind": "Status", "message": "secrets is forbidden"}) if "/secrets" in path else None)
        ended = self.back_up("b")
        self.assertEqual(("PartiallyFailed", 1), (ended["phase"], ended["errors"]))
        self.assert_whole("b")
        self.assertIn("secrets is forbidden", self.errors("b"))

    def test_nonsense_for_an_answer(self):
        self.proxy.rule = lambda method, path, headers: ("status", 200, {}, ["not", "a", "list"]) if "/secrets" in path else None
        self.assertEqual("PartiallyFailed", self.back_up("b")["phase"])
        self.assert_whole("b")
        self.assertIn("not JSON", self.errors("b"))

    def test_token_renewed(self):
        token = self.stage.directory / "token"
        token.write_text("first\n")
        self.name = "by-token-file"
        self.add(self.name, {"tokenFile": str(token)})

        def rule(method, path, headers):
            if headers["Authorization"] == "Bearer second":
                return None
            token.write_text("second\n")
            return ("status", 401, {}, {"kind": "Status", "message": "expired"})
        self.proxy.rule = rule
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")

    def test_gone_for_good(self):
        def rule(method, path, headers):
            if "configmaps" in path and "continue=" in path:
                self.proxy.server.socket.close()
                return ("cut", 1000)
            return None
        self.proxy.rule = rule
        ended = self.back_up("b")
        self.assertEqual("Failed", ended["phase"], ended)
        self.assertIn(f"127.0.0.1:{self.proxy.port}", ended["failure_reason"])
        self.assertIn("b: " + ended["failure_reason"], self.daemon.cli("backup", "list", "--cluster", self.name).stdout)
        self.assertEqual([], self.keys("b"))

    def test_daemon_killed(self):
        self.proxy.rule = lambda method, path, headers: ("hang",) if "configmaps" in path and "continue=" in path else None
        self.daemon.cli("backup", "create", "b", "--cluster", self.name)
        wait_until("the backup to hang", lambda: any("continue=" in path for _, path in self.proxy.seen))
        self.daemon.kill()
        self.daemon.start()
        listed = json.loads(self.daemon.cli("--output", "json", "backup", "list", "--cluster", self.name).stdout)["backups"]
        self.assertEqual([("b", "Failed", "the daemon ended while it ran")], [(b["name"], b["phase"], b["failure_reason"]) for b in listed])
        self.assertEqual([], self.keys("b"))
        self.proxy.rule = lambda method, path, headers: None
        self.assertEqual("Completed", self.back_up("b")["phase"])
        self.assert_whole("b")

    def test_daemon_stopped(self):
        self.proxy.rule = lambda method, path, headers: ("hang",) if "configmaps" in path and "continue=" in path else None
        self.daemon.cli("backup", "create", "b", "--cluster", self.name)
        wait_until("the backup to hang", lambda: any("continue=" in path for _, path in self.proxy.seen))
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual([], self.keys("b"))


class BrokenApiTest(ClusterTest):
    """Things that a real API server does by itself."""

    cluster_name, cluster_index = "kube-broken", 11

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))

    def test_aggregated_api_down(self):
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.gone.example"},
            "spec": {"group": "gone.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
                     "service": {"name": "nothing", "namespace": "default"}}}))
        self.addCleanup(self.cluster.kubectl, "delete", "apiservice", "v1.gone.example")
        wait_until("discovery to know", lambda: "gone.example" in self.cluster.kubectl("get", "--raw", "/apis"))
        checked = json.loads(self.daemon.cli("--output", "json", "cluster", "check", "prod").stdout)
        self.assertIn("gone.example/v1", json.dumps(checked["missing_groups"]))
        done = self.daemon.cli("backup", "create", "b", "--wait", check=False)
        self.assertIn("PartiallyFailed", done.stdout)
        self.assertIn("API group gone.example/v1", self.daemon.cli("backup", "logs", "b").stdout)

    def test_large_object(self):
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "larges.big.example"},
            "spec": {"group": "big.example", "scope": "Cluster", "names": {"plural": "larges", "singular": "large", "kind": "Large"},
                     "versions": [{"name": "v1", "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}))
        wait_until("the definition", lambda: "larges" in self.cluster.kubectl("api-resources", "--api-group=big.example"))
        text = "x" * 1_400_000
        self.cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "big.example/v1", "kind": "Large", "metadata": {"name": "one"}, "text": text}))
        self.daemon.cli("backup", "create", "large", "--wait", "--include-resources", "larges.big.example", "--include-cluster-resources", "true")
        body = self.daemon.s3().get_object(Bucket="holdfast", Key="clusters/prod/backups/large/large.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            saved = json.load(tar.extractfile("resources/larges.big.example/cluster/one.json"))
        self.assertEqual(text, saved["text"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
