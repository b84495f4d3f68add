"""Commands in real pods around their backup and after their restore."""

import json
import unittest

from api_proxy import ApiProxy
from harness import Stage, run, wait_until
from kube_cluster import KubeCluster, script

IMAGE = "localhost/busybox:1.35"


def say(text, file="/d/said"):
    return ["sh", "-c", f"echo {text} >> {file}; echo heard {text}"]


def pod(name, annotations=(), claim=None, labels=(), namespace="shop", command="while :; do sleep 1; done"):
    volume = {"name": "d", "persistentVolumeClaim": {"claimName": claim}} if claim else {"name": "d", "emptyDir": {}}
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "annotations": dict(annotations), "labels": dict(labels)},
            "spec": {"terminationGracePeriodSeconds": 0, "volumes": [volume],
                     "containers": [{"name": "side", "image": IMAGE, "command": ["sh", "-c", "while :; do sleep 1; done"]},
                                    {"name": "main", "image": IMAGE, "command": ["sh", "-c", command], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}]}}


def hook(phase, command, **more):
    values = {f"{phase}.hook.backup.velero.io/command": json.dumps(command), f"{phase}.hook.backup.velero.io/container": "main"}
    values.update({f"{phase}.hook.backup.velero.io/{k.replace('_', '-')}": v for k, v in more.items()})
    return values


class HooksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster("hooks-e2e", 22, "node")
        cls.addClassCleanup(cls.cluster.close)
        script("csi-up.sh", cls.cluster.name)
        cls.stage = Stage(iscsi=False, address=cls.cluster.host)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.await_role("serving", "prod")

    def setUp(self):
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
                   {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared", "namespace": "shop"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "dir", "resources": {"requests": {"storage": "1Gi"}}}})

    def tearDown(self):
        self.kubectl("delete", "namespace", "shop", "again", "--ignore-not-found", "--wait=true")

    def kubectl(self, *arguments, **options):
        return self.cluster.kubectl(*arguments, **options)

    def apply(self, *objects):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def run_pods(self, *pods):
        self.apply(*pods)
        self.kubectl("-n", "shop", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s")

    def said(self, name, namespace="shop"):
        return self.kubectl("-n", namespace, "exec", name, "-c", "main", "--", "sh", "-c", "cat /d/said 2>/dev/null || true").split()

    def back_up(self, name, spec, expected):
        self.apply({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": "velero"},
                    "spec": {"includedNamespaces": ["shop"], "snapshotVolumes": False, **spec}})
        return self.end_of("backup", name, expected)

    def restore(self, name, backup, expected, **spec):
        self.apply({"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": name, "namespace": "velero"},
                    "spec": {"backupName": backup, "namespaceMapping": {"shop": "again"}, **spec}})
        return self.end_of("restore", name, expected)

    def end_of(self, kind, name, expected):
        def status():
            return json.loads(self.kubectl("-n", "velero", "get", kind, name, "-o", "json")).get("status", {})

        wait_until(f"the end of {kind} {name}", lambda: "completionTimestamp" in status(), 180)
        self.assertEqual(expected, status()["phase"], self.log(kind, name) + json.dumps(status()))
        return status()

    def log(self, kind, name):
        return self.daemon.cli(kind, "logs", name, check=False).stdout[-4000:]

    def stored(self, backup):
        described = run(["velero", "backup", "describe", backup, "--details"], self.cluster.environment)
        return described

    def test_hooks_of_annotations_run_around_the_backup(self):
        self.run_pods(pod("db", {**hook("pre", say("frozen")), **hook("post", say("thawed"))}))
        status = self.back_up("annotated", {}, "Completed")
        self.assertEqual(["frozen", "thawed"], self.said("db"))
        self.assertEqual({"hooksAttempted": 2}, status["hookStatus"])
        self.assertIn("heard frozen", self.log("backup", "annotated"))
        described = self.stored("annotated")
        self.assertRegex(described, r"HooksAttempted:\s+2")
        self.assertIn("- shop/db", described)

    def test_pods_that_share_a_volume_are_taken_between_all_their_hooks(self):
        self.run_pods(pod("one", claim="shared"), pod("two", claim="shared"), pod("other"))
        spec = {"hooks": {"resources": [{"name": "order", "includedNamespaces": ["shop"], "pre": [{"exec": {"container": "main", "command": ["sh", "-c", "echo pre >> /d/said"]}}],
                                         "post": [{"exec": {"container": "main", "command": ["sh", "-c", "echo post >> /d/said"]}}]}]}}
        status = self.back_up("block", spec, "Completed")
        self.assertEqual(["pre", "pre", "post", "post"], self.said("one"))
        self.assertEqual(["pre", "post"], self.said("other"))
        self.assertEqual({"hooksAttempted": 6}, status["hookStatus"])

    def test_a_hook_that_must_not_fail_leaves_its_pod_out_and_is_undone(self):
        self.run_pods(pod("bad", {**hook("pre", ["sh", "-c", "echo tried >> /d/said; exit 3"], on_error="Fail"), **hook("post", say("undone"))}),
                      pod("late", hook("pre", ["sleep", "100"], timeout="1s")), pod("fine"))
        status = self.back_up("failing", {}, "PartiallyFailed")
        self.assertEqual({"hooksAttempted": 3, "hooksFailed": 2}, status["hookStatus"])
        self.assertEqual(2, status["errors"])
        self.assertEqual(["tried", "undone"], self.said("bad"))
        described = self.stored("failing")
        self.assertIn("- shop/late\n", described)
        self.assertIn("- shop/fine\n", described)
        self.assertNotIn("- shop/bad\n", described)
        self.assertIn("command terminated with exit code 3", described)
        self.assertIn("timed out after 1", described)

    def back_up_through(self, name, rule, phase):
        """By `holdfast`, over a proxy that fails."""
        proxy = ApiProxy(self.cluster, self.stage.directory)
        self.addCleanup(proxy.close)
        config = proxy.kubeconfig(self.stage.directory / f"{name}.conf", {"token": "t"})
        self.daemon.cli("cluster", "add", name, "--no-velero-objects", "--kubeconfig", str(config))
        self.addCleanup(self.daemon.cli, "cluster", "remove", name)
        proxy.rule = rule
        done = self.daemon.cli("--output", "json", "backup", "create", name, "--cluster", name, "--include-namespaces", "shop", "--include-resources", "pods", "--wait", check=False)
        ended = json.loads(done.stdout)
        log = self.daemon.cli("backup", "logs", name, "--cluster", name).stdout
        self.assertEqual(phase, ended["phase"], log)
        self.assertEqual(1, log.count("Backed up a total of 1 items"), log)
        return log

    def test_a_connection_that_is_cut_during_a_hook(self):
        self.run_pods(pod("db", {**hook("pre", say("frozen")), **hook("post", say("thawed"))}))
        tries = []

        def cut_the_first(method, path, headers):
            if "/exec?" not in path:
                return None
            tries.append(path)
            return ("cut", 1) if len(tries) == 1 else None

        log = self.back_up_through("cut", cut_the_first, "PartiallyFailed")
        self.assertIn("its pre hook <from-annotation> failed", log)
        self.assertIn(self.said("db"), (["thawed"], ["frozen", "thawed"]))  # whether the command had begun nobody can say

    def test_a_server_that_refuses_to_run_a_hook_for_a_while(self):
        """What has not begun is tried again; what has is not."""
        self.run_pods(pod("db", {**hook("pre", say("frozen")), **hook("post", say("thawed"))}))
        tries = []

        def refuse_twice(method, path, headers):
            if "/exec?" not in path:
                return None
            tries.append(path)
            return ("status", 503, {}, {"kind": "Status", "message": "overloaded"}) if len(tries) <= 2 else None

        self.back_up_through("busy", refuse_twice, "Completed")
        self.assertEqual(["frozen", "thawed"], self.said("db"))

        def forbid(method, path, headers):
            return ("status", 403, {}, {"kind": "Status", "message": "pods db is forbidden: no exec here"}) if "/exec?" in path else None

        log = self.back_up_through("forbidden", forbid, "PartiallyFailed")
        self.assertIn("no exec here", log)
        self.assertEqual(["frozen", "thawed"], self.said("db"))

    def test_hooks_after_a_restore(self):
        annotations = {"post.hook.restore.velero.io/command": json.dumps(say("restored")), "post.hook.restore.velero.io/container": "main",
                       "post.hook.restore.velero.io/wait-for-ready": "true"}
        self.run_pods(pod("db", annotations), pod("web", labels={"app": "web"}))
        self.back_up("source", {}, "Completed")
        init = {"name": "first", "image": IMAGE, "command": ["sh", "-c", "echo prepared >> /d/said"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
        spec = {"hooks": {"resources": [{"name": "load", "includedNamespaces": ["again"], "labelSelector": {"matchLabels": {"app": "web"}},
                                         "postHooks": [{"init": {"initContainers": [init]}}, {"exec": {"container": "main", "command": say("loaded"), "waitTimeout": "2m"}}]}]}}
        status = self.restore("hooked", "source", "Completed", **spec)
        self.assertEqual({"hooksAttempted": 2}, status["hookStatus"])
        self.assertEqual(["restored"], self.said("db", "again"))
        self.assertEqual(["prepared", "loaded"], self.said("web", "again"))
        self.assertIn("heard loaded", self.log("restore", "hooked"))

    def test_a_hook_that_fails_after_a_restore_is_an_error(self):
        self.run_pods(pod("db", {"post.hook.restore.velero.io/command": '["sh", "-c", "exit 4"]', "post.hook.restore.velero.io/on-error": "Fail"}))
        self.back_up("source-of-failure", {}, "Completed")
        status = self.restore("failing", "source-of-failure", "PartiallyFailed")
        self.assertEqual({"hooksAttempted": 1, "hooksFailed": 1}, status["hookStatus"])
        self.assertIn("command terminated with exit code 4", self.log("restore", "failing"))

    def test_a_post_hook_runs_when_the_server_is_stopped(self):
        """What a pre hook has halted is not left so."""
        self.run_pods(pod("db", {**hook("pre", ["sh", "-c", "echo frozen >> /d/said; sleep 100"], timeout="100s"), **hook("post", say("thawed"))}))
        self.apply({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "stopped", "namespace": "velero"}, "spec": {"includedNamespaces": ["shop"]}})
        wait_until("the hook", lambda: self.said("db") == ["frozen"])
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(["frozen", "thawed"], self.said("db"))
        self.assertEqual("Failed", self.end_of("backup", "stopped", "Failed")["phase"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
